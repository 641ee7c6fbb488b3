import { CorruptionError, isCancellation, NesteggError } from '../../core/errors.ts';
import { createOsLocks } from '../../core/os-lock-helper.ts';
import { problemOf, type Problem } from '../../core/problem.ts';
import { ProgressMeter } from '../../core/progress.ts';
import { RestorePool } from '../compute/restore-pool.ts';
import type { SnapshotRecord } from '../format/snapshot.ts';
import { datastoreOwner } from '../pbs/datastore-writer/new-file.ts';
import type { SnapshotName } from '../pbs/layout.ts';
import { DatastoreLocks } from '../pbs/snapshot-lock.ts';
import type { SnapshotSummary } from '../repository/repository.ts';
import { commonNamespace, placeOf } from './names.ts';
import {
  type QuarantinedPiece,
  type RestoreCounts,
  type RestorePhase,
  type RestoreReport,
  type RestoreRequest,
} from './restore.ts';
import { RestoreWindow, type WindowResult } from './restore-window.ts';
import { loadStored, snapshotLabel, UnreadableFile, type StoredSnapshot } from './stored-snapshot.ts';
import {
  compareExisting,
  lockForWriting,
  openTarget,
  refuseOtherOwner,
  type OpenedTarget,
} from './target-datastore.ts';

const defaultBudgetBytes = 192 * 2 ** 20;
const defaultWindowChunks = 2 ** 20;
/** Quarantined pieces that a report lists. */
const longestList = 1000;

/**
 * Restores PBS snapshots into a datastore, newest first; the result is the original byte for byte. A snapshot that is
 * there already and is the same one is skipped, another one of its name refused.
 *
 * Cancelling is an answer (`cancelled`), and so is what cannot be restored (`failed`, with everything else restored).
 * @throws NesteggError: `restore.target` and `pbs.refused` when the target cannot be used or its disk is full;
 * SourceError when it is the cache of a datastore in S3; UsageError for an impossible namespace; StorageError when the
 * store cannot be reached. What was restored before stays, and the next run goes on from there.
 */
export async function restoreSnapshots(request: RestoreRequest): Promise<RestoreReport> {
  const run = new RestoreRun(request, await openTarget(request.target.datastore, request.options.dryRun));
  return run.execute();
}

class RestoreRun {
  readonly #request: RestoreRequest;
  readonly #target: OpenedTarget;
  readonly #locks: DatastoreLocks;
  readonly #meter: ProgressMeter<RestorePhase>;
  readonly #restored: string[] = [];
  readonly #damaged: string[] = [];
  readonly #skipped: string[] = [];
  readonly #refused: { readonly snapshot: string; readonly problem: Problem }[] = [];
  readonly #quarantined: QuarantinedPiece[] = [];
  #moreQuarantined = 0;
  readonly #counts: { -readonly [K in keyof RestoreCounts]: number } = {
    chunks: 0,
    present: 0,
    healed: 0,
    written: 0,
    quarantined: 0,
    fetchedBytes: 0,
    fetches: 0,
  };
  #untouched: boolean;

  constructor(request: RestoreRequest, target: OpenedTarget) {
    this.#request = request;
    this.#target = target;
    this.#untouched = target.empty;
    const { options, events } = request;
    this.#meter = new ProgressMeter<RestorePhase>(options.clock, 'plan', events?.progress?.bind(events));
    this.#locks = new DatastoreLocks({
      // Without locks of the caller none are taken, and the helper that would take them is never started.
      os: options.osLocks ?? createOsLocks(),
      datastore: { path: target.path, name: target.datastore?.name },
      runDirectory: options.osLocks ? options.pbsRunDirectory : '/nonexistent',
    });
  }

  async execute(): Promise<RestoreReport> {
    const { repository, options, signal } = this.#request;
    const pool = new RestorePool({
      datastore: this.#target.path,
      keys: repository.keys.export(),
      owner: datastoreOwner(),
      threads: options.threads,
      signal,
    });
    try {
      await this.#restoreAll(pool);
    } catch (error) {
      if (signal?.aborted !== true && !isCancellation(error)) throw error;
      return this.#report(true);
    } finally {
      await pool.close();
    }
    return this.#report(false);
  }

  async #restoreAll(pool: RestorePool): Promise<void> {
    const { snapshots, options, signal } = this.#request;
    const newestFirst = [...snapshots].sort((a, b) => b.timeMs - a.timeMs || (a.group < b.group ? -1 : 1));
    this.#meter.totals(newestFirst.length, undefined);
    const common = commonNamespace(newestFirst.map(({ group }) => group.slice(0, group.indexOf('|'))));
    let window = this.#newWindow(pool);
    for (const summary of newestFirst) {
      signal?.throwIfAborted();
      const stored = await this.#load(summary, common);
      if (stored) window.add(stored);
      if (window.chunks < (options.windowChunks ?? defaultWindowChunks)) continue;
      await this.#finish(window);
      window = this.#newWindow(pool);
    }
    await this.#finish(window);
  }

  #newWindow(pool: RestorePool): RestoreWindow {
    const { repository, options, signal } = this.#request;
    return new RestoreWindow({
      repository,
      options,
      pool,
      datastore: this.#target.datastore,
      empty: this.#untouched,
      locks: this.#locks,
      budgetBytes: options.budgetBytes ?? defaultBudgetBytes,
      meter: this.#meter,
      signal,
    });
  }

  /** Undefined when it needs no restoring or cannot be restored; that is noted. */
  async #load(summary: SnapshotSummary, common: string): Promise<StoredSnapshot | undefined> {
    const { repository, options, target, signal } = this.#request;
    let label = `${summary.group}@${summary.item}`;
    this.#meter.phase('plan', label);
    try {
      const record = await readRecord(repository, summary, signal);
      const name = placeAs(record, common, target.namespace);
      label = snapshotLabel(name);
      const stored = await loadStored(repository, summary, record, name, signal);
      const existing = await compareExisting(this.#target, stored);
      if (existing === 'identical') {
        this.#skipped.push(label);
        this.#meter.itemDone();
        return undefined;
      }
      if (existing === 'different') throw anotherOne(label);
      await refuseOtherOwner(this.#target, stored, options.otherOwner);
      return stored;
    } catch (error) {
      if (error instanceof UnreadableFile) {
        this.#quarantine([{ snapshot: label, file: error.file, reason: error.message }]);
      } else if (
        !(error instanceof NesteggError) ||
        (error.code !== 'restore.target' && error.code !== 'pbs.refused')
      ) {
        throw error;
      }
      this.#refuse(label, problemOf(error));
      return undefined;
    }
  }

  async #finish(window: RestoreWindow): Promise<void> {
    if (window.isEmpty) return;
    const { options, signal } = this.#request;
    const locks = options.osLocks && !options.dryRun ? this.#locks : undefined;
    const lock = await lockForWriting(locks, options, signal);
    try {
      this.#add(await window.run());
    } finally {
      this.#untouched = options.dryRun && this.#untouched;
      await lock?.release();
    }
  }

  #add(result: WindowResult): void {
    this.#restored.push(...result.restored);
    this.#damaged.push(...result.damaged);
    for (const { snapshot, problem } of result.refused) this.#refuse(snapshot, problem);
    this.#quarantine(result.quarantined);
    for (const [name, value] of Object.entries(result.counts)) this.#counts[name as keyof RestoreCounts] += value;
  }

  #refuse(snapshot: string, problem: Problem): void {
    this.#refused.push({ snapshot, problem });
    this.#request.events?.warning?.({ ...problem, message: `${snapshot}: ${problem.message}` });
  }

  #quarantine(pieces: readonly QuarantinedPiece[]): void {
    const room = Math.max(0, longestList - this.#quarantined.length);
    this.#quarantined.push(...pieces.slice(0, room));
    this.#moreQuarantined += Math.max(0, pieces.length - room);
  }

  #report(cancelled: boolean): RestoreReport {
    const failed = this.#refused.length > 0;
    const state = cancelled ? 'cancelled' : failed ? 'failed' : this.#damaged.length > 0 ? 'warning' : 'done';
    const asked = this.#request.snapshots.length;
    const problem = new NesteggError(
      'restore.incomplete',
      `${this.#refused.length} of ${asked} snapshots were not restored: ${this.#refused[0]?.problem.message ?? ''}`,
    );
    return {
      state,
      restored: [...this.#restored, ...this.#damaged],
      skipped: this.#skipped,
      refused: this.#refused,
      quarantined: this.#quarantined,
      moreQuarantined: this.#moreQuarantined,
      counts: this.#counts,
      durationMs: this.#meter.elapsedMs,
      ...(failed ? { problem: problemOf(problem) } : {}),
    };
  }
}

async function readRecord(
  repository: RestoreRequest['repository'],
  summary: SnapshotSummary,
  signal: AbortSignal | undefined,
): Promise<SnapshotRecord> {
  try {
    return await repository.readRecord(summary, signal);
  } catch (error) {
    if (error instanceof NesteggError && (error.code === 'repository.corrupt' || error.code === 'not-found')) {
      throw new UnreadableFile('the snapshot record', error);
    }
    throw error;
  }
}

function placeAs(record: SnapshotRecord, common: string, namespace: string | undefined): SnapshotName {
  try {
    return placeOf(record, common, namespace);
  } catch (error) {
    if (error instanceof CorruptionError) throw new UnreadableFile('the snapshot record', error);
    throw error;
  }
}

function anotherOne(label: string): NesteggError {
  return new NesteggError('restore.target', `another snapshot is in the target as ${label}`, {
    hint: 'Restore into another namespace, or remove that snapshot in PBS first.',
  });
}
