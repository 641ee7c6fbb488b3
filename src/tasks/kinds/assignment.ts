/** The parts of an assignment: what is read, and where it goes. Plain JSON; sizes in bytes, times in milliseconds. */

/** Where a repository lies, without credentials. */
export type LocationAssignment =
  | { readonly type: 'filesystem'; readonly path: string }
  | {
      readonly type: 's3' | 'sia';
      readonly endpoint: string;
      readonly bucket: string;
      readonly prefix: string;
      readonly region?: string;
      /** Sia: the administrative API of renterd. */
      readonly gatewayApi?: string;
    };

/** Secret texts. They exist in this form only on the way through IPC and are wrapped on arrival. */
export interface SecretTexts {
  readonly password?: string;
  /** A recovery code instead of a password. */
  readonly recoveryCode?: string;
  readonly accessKey?: string;
  readonly secretKey?: string;
  readonly gatewayPassword?: string;
}

export interface RepositoryAssignment {
  readonly name: string;
  readonly location: LocationAssignment;
  readonly secrets: SecretTexts;
  readonly readOnly: boolean;
  /** Absent: what suits the storage. */
  readonly packBytes?: number;
  /** zstd level; 0 is off; absent: chosen by the engine. */
  readonly compression?: number;
  readonly concurrency?: number;
  readonly uploadBytesPerSecond?: number;
  readonly downloadBytesPerSecond?: number;
}

export interface PbsSourceAssignment {
  readonly type: 'pbs';
  readonly datastore: string;
  /** PBS group filters: `type:vm`, `group:ct/101`, `regex:…`. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly namespaceRoot: string;
  readonly namespaceDepth: number;
  /** How many of the newest PBS snapshots of a group are wanted. */
  readonly snapshots: 'all' | number;
  readonly verify: 'digest' | 'crc';
  readonly lockMaxMs: number;
}

export type SourceAssignment = PbsSourceAssignment;
