/** The parts of an assignment: what is read, and where it goes. Plain JSON; sizes in bytes, times in milliseconds. */
import type { KeepRules } from '../../core/keep.ts';

/** Where a repository lies, without credentials. */
export type LocationAssignment =
  | { readonly type: 'filesystem'; readonly path: string }
  | {
      readonly type: 's3';
      readonly endpoint: string;
      readonly bucket: string;
      /** Empty, or ends with `/`. */
      readonly prefix: string;
      readonly region?: string;
    }
  | {
      readonly type: 'sia';
      readonly endpoint: string;
      readonly bucket: string;
      readonly prefix: string;
      /** The gateway's own API. */
      readonly gatewayApi?: string;
      readonly offsiteEveryMs?: number;
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
  /** Absent, like the following: what suits the storage. */
  readonly packBytes?: number;
  /** zstd level; 0 is off. */
  readonly compression?: number;
  /** Requests at once. */
  readonly concurrency?: number;
}

/** A repository as the target of a backup. */
export interface TargetAssignment extends RepositoryAssignment {
  /** Retention of this backup there: what it would drop at once is not copied. No rules keep everything. */
  readonly keep: KeepRules;
}

export interface PbsSourceAssignment {
  readonly type: 'pbs';
  readonly datastore: string;
  /** PBS group filters: `type:vm`, `group:ct/101`, `regex:…`. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly namespaces: { readonly root: string; readonly depth: number };
  /** Which finished snapshots of a group: all, the newest, or those that `keep` would keep. */
  readonly snapshots:
    { readonly type: 'all' } | { readonly type: 'last'; readonly count: number } | { readonly type: 'keep' };
  readonly verify: 'digest' | 'crc';
  readonly lockMaxMs: number;
}

/** Everything of the configuration that a backup task needs. */
export interface BackupAssignment {
  readonly name: string;
  readonly source: PbsSourceAssignment;
  readonly targets: readonly TargetAssignment[];
  /** IANA name: the days and months of `keep`. */
  readonly timeZone: string;
  readonly allowDamaged: boolean;
  /** Compute threads; absent: as many as suit the machine. */
  readonly threads?: number;
}
