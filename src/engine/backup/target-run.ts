import { isCancellation } from '../../core/errors.ts';
import type { RunId, SnapshotId } from '../../core/ids.ts';
import type { KeepRules } from '../../core/keep.ts';
import type { Repository, SessionTotals, SnapshotSummary, WriteSession } from '../repository/repository.ts';
import { problemOf, type Problem } from '../../core/problem.ts';
import type { BackupTarget, TargetResult } from './backup.ts';

const nothing: SessionTotals = { storedBytes: 0, storedPacks: 0, newBlobs: 0 };

/**
 * One repository during one run. States: *idle* (no session yet), *writing* (a session is open), *failed* (for good, with
 * its problem; the others go on). The session is opened when something is to be written, so that a run that finds nothing
 * new asks the store for nothing.
 */
export class TargetRun {
  readonly number: number;
  readonly repository: Repository;
  readonly keep: KeepRules;
  readonly #run: RunId;
  readonly #onFailed: (target: TargetRun) => void;
  readonly #snapshots: SnapshotId[] = [];
  #session: WriteSession | undefined;
  #stored: ReadonlySet<string> | undefined;
  #opening: Promise<WriteSession> | undefined;
  #problem: Problem | undefined;
  /** Some item was left out here, or has holes. */
  warned = false;

  constructor(number: number, target: BackupTarget, run: RunId, onFailed: (target: TargetRun) => void) {
    this.number = number;
    this.repository = target.repository;
    this.keep = target.keep;
    this.#run = run;
    this.#onFailed = onFailed;
  }

  get name(): string {
    return this.repository.name;
  }

  get active(): boolean {
    return this.#problem === undefined;
  }

  get problem(): Problem | undefined {
    return this.#problem;
  }

  get totals(): SessionTotals {
    return this.#session?.totals ?? nothing;
  }

  /** Whether the item is committed here by now: opening a session reads the journal again. */
  has(backup: string, item: Pick<SnapshotSummary, 'group' | 'item'>): boolean {
    this.#stored ??= new Set(
      this.repository
        .snapshots()
        .filter((summary) => summary.backup === backup)
        .map(keyOf),
    );
    return this.#stored.has(keyOf(item));
  }

  /** The session, once `attempt` opened it. Synchronous, because it is asked for every chunk. */
  get session(): WriteSession | undefined {
    return this.active ? this.#session : undefined;
  }

  /**
   * Does `work` with the session. Undefined when this target has failed, now or before; the caller goes on with the
   * others. @throws CancelledError alone.
   */
  async attempt<T>(
    signal: AbortSignal | undefined,
    work: (session: WriteSession) => Promise<T>,
  ): Promise<T | undefined> {
    if (!this.active) return undefined;
    try {
      this.#opening ??= this.repository.write({ run: this.#run, signal });
      this.#session ??= await this.#opening;
      return await work(this.#session);
    } catch (error) {
      if (signal?.aborted === true || isCancellation(error)) throw error;
      this.fail(error);
      return undefined;
    }
  }

  /** Idempotent: the first failure is the one that is told. */
  fail(error: unknown): void {
    if (this.#problem) return;
    this.#problem = problemOf(error);
    this.#onFailed(this);
  }

  committed(snapshots: readonly SnapshotId[]): void {
    this.#snapshots.push(...snapshots);
  }

  /** Ends the session. A failed one makes no further request to the store; a cancelled one still says what it has stored. */
  async close(): Promise<void> {
    const session = await this.#opening?.catch(() => undefined);
    if (!session) return;
    try {
      await (this.active ? session.close() : session.abandon());
    } catch (error) {
      this.fail(error);
    }
  }

  result(cancelled: boolean): TargetResult {
    const state = this.#problem ? 'failed' : cancelled ? 'cancelled' : this.warned ? 'warning' : 'done';
    return {
      repository: this.name,
      state,
      ...this.totals,
      snapshots: [...this.#snapshots],
      ...(this.#problem ? { problem: this.#problem } : {}),
    };
  }
}

function keyOf({ group, item }: Pick<SnapshotSummary, 'group' | 'item'>): string {
  return `${group}@${item}`;
}
