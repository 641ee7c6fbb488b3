/**
 * # Configuration: one YAML file, read once, frozen
 *
 * Words: the *vocabulary* is every key a person may write (`schema.ts`); the *configuration* is the typed, complete value
 * made from it (this file): units are numbers, secrets are `Secret`s, defaults are filled in, names are checked. A
 * *problem* is one error with its place in the file.
 *
 * Invariants: a value of type `Config` is valid and deeply frozen; all problems of a file are found in one go; no secret
 * is ever part of a problem, of the effective view or of the JSON Schema; a key whose part is not built is refused.
 *
 * Times are in milliseconds, sizes in bytes, rates in bytes per second.
 */
import type { KeepRules } from '../../core/keep.ts';
import type { Secret } from '../../core/secret.ts';

export interface Config {
  /** Absolute path of the file it was read from. */
  readonly file: string;
  readonly device: string;
  /** IANA time zone of all schedules. */
  readonly timezone: string;
  readonly daemon: DaemonConfig;
  readonly log: LogConfig;
  /** By name, those written inside backups included. */
  readonly repositories: Readonly<Record<string, RepositoryConfig>>;
  readonly backups: Readonly<Record<string, BackupConfig>>;
}

/** Only loopback addresses and sockets: others need encryption. */
export type Listen =
  | { readonly type: 'tcp'; readonly host: string; readonly port: number }
  | { readonly type: 'unix'; readonly path: string };

export interface DaemonConfig {
  readonly listen: Listen;
  /** Absolute path of the state directory. */
  readonly state: string;
  /** Tasks that may run at once. */
  readonly concurrency: number;
  readonly historyMs: number;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface LogConfig {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
}

/** An integer (`normal` is 0) or a name. */
export type ConfiguredPriority = 'immediate' | 'next' | 'superior' | 'inferior' | 'on-idle' | number;

interface RepositoryBase {
  readonly name: string;
  readonly password: Secret;
  /** Target size of a pack; `undefined`: what suits the store. */
  readonly packSizeBytes: number | undefined;
  readonly compression: Compression;
  /** Requests at once; `undefined`: what suits the store. */
  readonly concurrency: number | undefined;
  readonly readOnly: boolean;
  readonly check: { readonly schedules: readonly Schedule[]; readonly priority: ConfiguredPriority };
}

export type Compression = 'auto' | 'off' | number;

interface S3Access {
  readonly endpoint: string;
  readonly bucket: string;
  /** Empty, or ends with `/`. */
  readonly prefix: string;
  readonly accessKey: Secret;
  readonly secretKey: Secret;
}

export interface FilesystemRepositoryConfig extends RepositoryBase {
  readonly type: 'filesystem';
  readonly path: string;
}

export interface S3RepositoryConfig extends RepositoryBase, S3Access {
  readonly type: 's3';
  readonly region: string;
}

export interface SiaRepositoryConfig extends RepositoryBase, S3Access {
  readonly type: 'sia';
  /** The gateway's own API, which tells when bytes have left it. */
  readonly gateway: { readonly api: string; readonly password: Secret } | undefined;
  /** How often pending bytes may be pushed out. */
  readonly offsiteEveryMs: number;
}

export type RepositoryConfig = FilesystemRepositoryConfig | S3RepositoryConfig | SiaRepositoryConfig;

/** When something is due. `text` is as written. */
export interface Schedule {
  readonly kind: 'cron' | 'interval' | 'calendar' | 'startup';
  readonly text: string;
}

export interface PbsSourceConfig {
  readonly type: 'pbs';
  readonly datastore: string;
  /** PBS group filters, as written: `type:vm`, `group:ct/101`, `regex:^vm/9`. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly namespaces: { readonly root: string; readonly depth: number };
  /** Which finished snapshots of each group: all, the last n, or those that `keep` would keep. */
  readonly snapshots:
    { readonly select: 'all' } | { readonly select: 'last'; readonly last: number } | { readonly select: 'keep' };
  readonly verify: 'digest' | 'crc';
  readonly lock: { readonly maxMs: number };
}

/** One repository of a backup, with the retention that counts there. */
export interface BackupRepository {
  readonly name: string;
  readonly keep: KeepRules;
}

export interface LimitsConfig {
  readonly timeMs: number | undefined;
  readonly retries: number;
  /** Compute threads; `undefined`: as many as the machine allows. */
  readonly threads: number | undefined;
  readonly nice: number | undefined;
  readonly io: 'idle' | 'best-effort' | undefined;
}

export interface BackupConfig {
  readonly name: string;
  readonly source: PbsSourceConfig;
  readonly repositories: readonly BackupRepository[];
  readonly watch: { readonly settle: { readonly minMs: number; readonly maxMs: number } } | undefined;
  readonly schedules: readonly Schedule[];
  readonly catchUp: 'once' | 'all' | 'skip';
  readonly priority: ConfiguredPriority;
  readonly limits: LimitsConfig;
  /** Commit PBS snapshots with unreadable chunks too, marked as damaged. */
  readonly allowDamaged: boolean;
}

/** One error, with its place. `line` and `column` count from 1; `excerpt` shows the line and a caret below, secrets hidden. */
export interface ConfigProblem {
  readonly code: 'config.invalid' | 'config.unavailable' | 'config.secret';
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The key, as `backups.datacenter.limits.time`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
  readonly hint?: string;
  readonly excerpt: string;
}

/** One effective value as a person would write it; secrets show as `[secret]`. */
export interface EffectiveValue {
  readonly path: string;
  readonly value: string;
  /** `default`, `file.yml:12`, or `defaults, file.yml:3`. */
  readonly from: string;
}

export type ConfigCheck =
  | { readonly ok: true; readonly config: Config; readonly effective: readonly EffectiveValue[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };
