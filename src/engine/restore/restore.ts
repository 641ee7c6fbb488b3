/**
 * # Restore: from a repository back to where it came from
 *
 * Words: the *target* is the datastore that is restored into. A *window* is some snapshots whose chunks are planned and
 * fetched together. A *piece* is a part of a pack that is fetched with one request. *Quarantined* is what could not be
 * read or proven: it is reported and not written, and neither is a snapshot that needs it, unless damage is allowed.
 *
 * Invariants: nothing that is in the target is trusted or overwritten unproven: a chunk that is there is read and proven,
 * a bad one is replaced, a snapshot that is there is left alone. Everything written is authenticated, and proven as its
 * assurance says. Chunks before indexes, everything before the manifest. What is intact is restored whatever else is
 * not. A restore that broke off goes on where it was when it is run again.
 */
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import type { OsLocks } from '../../core/os-lock.ts';
import type { Problem } from '../../core/problem.ts';
import type { Progress } from '../../core/progress.ts';
import type { Random } from '../../core/random.ts';
import type { Repository, SnapshotSummary } from '../repository/repository.ts';

export interface RestoreTarget {
  /** Folder of a datastore; a missing or empty one becomes a new datastore. */
  readonly datastore: string;
  /**
   * Where the innermost namespace that all these snapshots have in common goes: one snapshot, or one namespace, goes
   * exactly there, and of several namespaces the tree below it. Default: everything goes where it was.
   */
  readonly namespace?: string | undefined;
}

export interface RestoreOptions {
  /** Counts what would be done, with everything that is in the target read and proven; writes nothing. */
  readonly dryRun: boolean;
  /** Restores snapshots too that have quarantined chunks; PBS then finds those chunks missing. */
  readonly allowDamaged: boolean;
  /** What to do with a group that belongs to somebody else: `refuse`, or leave it theirs and restore into it. */
  readonly otherOwner: 'refuse' | 'keep';
  readonly threads: number;
  /** Bytes of packs in memory; default 192 MiB. */
  readonly budgetBytes?: number | undefined;
  /** Chunks planned at once; default 1,048,576, about 100 bytes each. */
  readonly windowChunks?: number | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Locks of PBS are taken with it; without, there must be no PBS working in the target. */
  readonly osLocks?: OsLocks | undefined;
  /** Where PBS keeps its locks; for tests. */
  readonly pbsRunDirectory?: string | undefined;
}

export type RestorePhase = 'plan' | 'inspect' | 'fetch' | 'publish';

export interface RestoreEvents {
  /** At most a few times a second. Bytes are those of packs. */
  progress?(progress: Progress<RestorePhase>): void;
  warning?(problem: Problem): void;
}

/** One chunk, or one whole file, that could not be read or proven. */
export interface QuarantinedPiece {
  readonly snapshot: string;
  readonly file: string;
  /** Of the chunk in the image or stream; absent for a whole file. */
  readonly position?: number;
  readonly digest?: string;
  readonly reason: string;
}

export interface RestoreCounts {
  /** Different chunks that the snapshots need. */
  readonly chunks: number;
  /** Of them: in the target, and proven. */
  readonly present: number;
  /** In the target, but bad; replaced (in a dry run: to be replaced). */
  readonly healed: number;
  /** Written anew (in a dry run: to be written). */
  readonly written: number;
  readonly quarantined: number;
  /** Bytes of packs fetched (in a dry run: to be fetched), and requests for them. */
  readonly fetchedBytes: number;
  readonly fetches: number;
}

export interface RestoreReport {
  /** `failed`: something that was asked for is not there now. `warning`: all is there, some of it with quarantined chunks. */
  readonly state: 'done' | 'warning' | 'failed' | 'cancelled';
  /** Names as `vm/100/2024-06-05T14:24:36Z`, with `ns/…/` in front. In a dry run: what would be restored. */
  readonly restored: readonly string[];
  /** There already, and identical. */
  readonly skipped: readonly string[];
  readonly refused: readonly { readonly snapshot: string; readonly problem: Problem }[];
  readonly quarantined: readonly QuarantinedPiece[];
  /** Quarantined pieces beyond the listed ones. */
  readonly moreQuarantined: number;
  readonly counts: RestoreCounts;
  readonly durationMs: number;
  readonly problem?: Problem;
}

export interface RestoreRequest {
  readonly repository: Repository;
  /** Restored newest first, whatever their order here. */
  readonly snapshots: readonly SnapshotSummary[];
  readonly target: RestoreTarget;
  readonly options: RestoreOptions;
  readonly events?: RestoreEvents | undefined;
  readonly signal?: AbortSignal | undefined;
}
