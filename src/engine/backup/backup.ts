/**
 * # Backup: from a source into several repositories at once
 *
 * Words: an *item* is one PBS snapshot. A *target* is one repository of this run, with what it keeps; it is its own
 * failure domain. A *commit group* is some items whose snapshots are committed together, so that small ones do not cost a
 * journal entry each. A *bad chunk* is one that a target misses and that cannot be read or proven.
 *
 * Invariants: a chunk file is opened only when at least one target misses the chunk, and then once for all of them. A
 * snapshot is committed in a target only when everything it names is stored there, or, when damage is allowed, with its
 * holes listed. Only a source error becomes a warning; a storage error ends its target, never the others. A snapshot that
 * PBS removes while it is being read is dropped without a word.
 */
import type { Clock } from '../../core/clock.ts';
import type { KeepRules } from '../../core/keep.ts';
import type { Logger } from '../../core/logger.ts';
import type { Problem } from '../../core/problem.ts';
import type { Progress } from '../../core/progress.ts';
import type { OsLocks } from '../../core/os-lock.ts';
import type { RunId, SnapshotId } from '../../core/ids.ts';
import type { Repository } from '../repository/repository.ts';
import type { PbsSourceOptions } from '../sources/pbs.ts';

/** Which PBS snapshots are copied. `keep`: those that the target's `keep` would not drop at once. */
export type SnapshotSelection =
  { readonly type: 'all' } | { readonly type: 'last'; readonly count: number } | { readonly type: 'keep' };

export interface BackupTarget {
  readonly repository: Repository;
  /** Retention of this backup in this repository; no rules keep everything. */
  readonly keep: KeepRules;
}

export interface CommitEvery {
  readonly snapshots: number;
  /** Bytes of chunk files read for the group. */
  readonly readBytes: number;
  /** Chunks named by the indexes of the group: bounds memory, 32 bytes each. */
  readonly chunks: number;
}

export const defaultCommitEvery: CommitEvery = { snapshots: 16, readBytes: 4 * 2 ** 30, chunks: 2 ** 20 };

export interface BackupOptions {
  /** Name of the backup in the configuration. */
  readonly backup: string;
  /** Name of this machine in records. */
  readonly device: string;
  /** IANA name: the days and months of `keep`. */
  readonly timeZone: string;
  readonly snapshots: SnapshotSelection;
  /** Check of every new chunk: its digest, or only the CRC of its file. */
  readonly verify: 'digest' | 'crc';
  /** Commits snapshots with unreadable chunks, marked as damaged, instead of leaving them out. */
  readonly allowDamaged: boolean;
  /** Worker threads wished for; fewer are used when packs would not fit the budget. */
  readonly threads: number;
  /** Bytes of packs in memory over all repositories; default 192 MiB. */
  readonly budgetBytes?: number | undefined;
  readonly commitEvery?: Partial<CommitEvery> | undefined;
  /** Once aborted, the run ends at the next item boundary, commits what it has, and says how many items remain. */
  readonly stop?: AbortSignal | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Locks of PBS are taken with it; without, the lockless rules are followed. */
  readonly osLocks?: OsLocks | undefined;
  /** Where PBS keeps its locks and its list of datastores; for tests. */
  readonly pbsRunDirectory?: string | undefined;
  readonly pbsConfigFile?: string | undefined;
}

export type BackupPhase = 'list' | 'amend' | 'read' | 'commit';

/** Bytes are those of images and streams, not of what is stored. */
export interface BackupProgress extends Progress<BackupPhase> {
  readonly uploadedBytes: number;
}

export interface BackupEvents {
  /** At most a few times a second. */
  progress?(progress: BackupProgress): void;
  /** Each once, as it is found; all of them, up to a cap, are in the report too. */
  warning?(problem: Problem): void;
  /** Snapshots became part of a repository. */
  committed?(repository: string, snapshots: readonly SnapshotId[]): void;
}

export type TargetState = 'done' | 'warning' | 'failed' | 'cancelled';

export interface TargetResult {
  readonly repository: string;
  readonly state: TargetState;
  readonly storedBytes: number;
  readonly storedPacks: number;
  readonly newBlobs: number;
  /** Committed or amended by this run. */
  readonly snapshots: readonly SnapshotId[];
  readonly problem?: Problem;
}

export interface BackupReport {
  /** The worst of the targets, and at least `warning` when there are warnings. */
  readonly state: TargetState;
  readonly repositories: readonly TargetResult[];
  /** Bytes of chunk and blob files that were read. */
  readonly readBytes: number;
  /** Items committed in at least one target. */
  readonly items: number;
  /** Chunks that at least one target missed. */
  readonly chunks: number;
  readonly durationMs: number;
  readonly warnings: readonly Problem[];
  /** Warnings beyond the listed ones. */
  readonly moreWarnings: number;
  readonly problem?: Problem;
  readonly details: BackupDetails;
}

export interface BackupDetails {
  readonly run: RunId;
  /** Items amended: notes, protection, a late log. */
  readonly amended: number;
  /** Items left out because of bad data, in at least one target. */
  readonly incomplete: number;
  /** Items that PBS was busy with; the next run takes them. */
  readonly busy: number;
  /** Items not begun because the run was stopped. */
  readonly remaining: number;
}

export interface BackupRequest {
  readonly source: PbsSourceOptions;
  readonly repositories: readonly BackupTarget[];
  /** One for all repositories of the run. */
  readonly run: RunId;
  readonly options: BackupOptions;
  readonly events?: BackupEvents | undefined;
  readonly signal?: AbortSignal | undefined;
}
