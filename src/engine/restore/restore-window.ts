/**
 * Some snapshots that are restored together. Order: chunks that are there are proven and touched, the others fetched in
 * the order in which snapshots need them; as soon as everything of a snapshot is there and durable, it is published.
 */
import { NesteggError } from '../../core/errors.ts';
import { problemOf, type Problem } from '../../core/problem.ts';
import type { ProgressMeter } from '../../core/progress.ts';
import { chunkStates } from '../compute/restore-messages.ts';
import type { RestorePool } from '../compute/restore-pool.ts';
import { SnapshotPublisher } from '../pbs/datastore-writer/snapshot-publisher.ts';
import { syncFileSystem } from '../pbs/datastore-writer/sync-file-system.ts';
import type { Datastore } from '../pbs/datastore.ts';
import type { DatastoreLocks } from '../pbs/snapshot-lock.ts';
import type { Repository } from '../repository/repository.ts';
import { ChunkFetcher } from './chunk-fetcher.ts';
import { ChunkPlan } from './chunk-plan.ts';
import type { Piece } from './fetch-plan.ts';
import type { QuarantinedPiece, RestoreOptions, RestorePhase } from './restore.ts';
import { snapshotLabel, type StoredSnapshot } from './stored-snapshot.ts';
import { ownerOf } from './target-datastore.ts';

export interface WindowContext {
  readonly repository: Repository;
  readonly options: RestoreOptions;
  readonly pool: RestorePool;
  /** Undefined in a dry run into a folder that is no datastore yet. */
  readonly datastore: Datastore | undefined;
  /** Nothing was in the target before this restore, and no window of it was written yet. */
  readonly empty: boolean;
  readonly locks: DatastoreLocks;
  readonly budgetBytes: number;
  readonly meter: ProgressMeter<RestorePhase>;
  readonly signal: AbortSignal | undefined;
}

export interface WindowResult {
  readonly restored: string[];
  readonly damaged: string[];
  readonly refused: { readonly snapshot: string; readonly problem: Problem }[];
  readonly quarantined: QuarantinedPiece[];
  readonly counts: Record<
    'chunks' | 'present' | 'healed' | 'written' | 'quarantined' | 'fetchedBytes' | 'fetches',
    number
  >;
}

export class RestoreWindow {
  readonly #context: WindowContext;
  readonly #snapshots: StoredSnapshot[] = [];
  readonly #plan: ChunkPlan;
  readonly #result: WindowResult = {
    restored: [],
    damaged: [],
    refused: [],
    quarantined: [],
    counts: { chunks: 0, present: 0, healed: 0, written: 0, quarantined: 0, fetchedBytes: 0, fetches: 0 },
  };
  #unsynced = true;

  constructor(context: WindowContext) {
    this.#context = context;
    this.#plan = new ChunkPlan(context.repository);
  }

  get chunks(): number {
    return this.#plan.count;
  }

  get isEmpty(): boolean {
    return this.#snapshots.length === 0;
  }

  add(snapshot: StoredSnapshot): void {
    this.#plan.add(snapshot, this.#snapshots.length);
    this.#snapshots.push(snapshot);
  }

  /** @throws StorageError, NesteggError (`restore.target`), CancelledError; what was published before stays. */
  async run(): Promise<WindowResult> {
    const { repository, pool, budgetBytes, meter, options, empty } = this.#context;
    const ended = new AbortController();
    const signal = this.#context.signal ? AbortSignal.any([this.#context.signal, ended.signal]) : ended.signal;
    const onFetched = (bytes: number): void => {
      meter.bytes(bytes);
    };
    const fetcher = new ChunkFetcher({ repository, plan: this.#plan, pool, budgetBytes, onFetched, signal });
    meter.phase('inspect');
    await repository.loadIndex(signal);
    if (empty) fetcher.assumeAbsent();
    else await fetcher.inspect(!options.dryRun);
    const pieces = fetcher.plan();
    this.#countPlan(pieces);
    try {
      if (options.dryRun) this.#foretell();
      else await this.#restore(fetcher, pieces);
    } finally {
      ended.abort();
    }
    return this.#result;
  }

  async #restore(fetcher: ChunkFetcher, pieces: readonly Piece[]): Promise<void> {
    const { meter } = this.#context;
    meter.phase('fetch');
    const waiting = this.#snapshots.map((): Promise<void>[] => []);
    for (const piece of pieces) {
      const fetched = fetcher.fetch(piece);
      fetched.catch(() => undefined); // Awaited below, but perhaps after another one has failed.
      waiting[piece.owner]?.push(fetched);
    }
    for (const [number, snapshot] of this.#snapshots.entries()) {
      await Promise.all(waiting[number] ?? []);
      this.#unsynced ||= (waiting[number]?.length ?? 0) > 0;
      await this.#publish(snapshot);
      meter.itemDone();
    }
    const { counts } = this.#result;
    counts.present = this.#plan.countOf(chunkStates.present);
    counts.healed = this.#plan.countOf(chunkStates.replaced);
    counts.written = this.#plan.countOf(chunkStates.written);
    counts.quarantined = this.#plan.countOf(chunkStates.unreadable);
  }

  #countPlan(pieces: readonly Piece[]): void {
    const { counts } = this.#result;
    counts.chunks = this.#plan.count;
    counts.fetches = pieces.length;
    counts.fetchedBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    counts.present = this.#plan.countOf(chunkStates.present);
    counts.healed = this.#plan.countOf(chunkStates.bad);
    counts.written = this.#plan.countOf(chunkStates.absent);
    counts.quarantined = this.#plan.countOf(chunkStates.unreadable);
  }

  /** Of a dry run. */
  #foretell(): void {
    for (const snapshot of this.#snapshots) this.#takesPart(snapshot);
  }

  /** Reports what is quarantined of the snapshot, and whether it is restored nevertheless. */
  #takesPart(snapshot: StoredSnapshot): boolean {
    const label = snapshotLabel(snapshot.name);
    const { quarantined, refused, damaged, restored } = this.#result;
    const before = quarantined.length;
    for (const place of this.#plan.quarantinedIn(snapshot)) quarantined.push({ snapshot: label, ...place });
    const bad = quarantined.length - before;
    if (bad > 0 && !this.#context.options.allowDamaged) {
      const problem = problemOf(
        new NesteggError('restore.incomplete', `${bad} of its chunks cannot be restored`, {
          hint: 'Restore it from another repository, or allow damage: everything but these chunks is restored then.',
        }),
      );
      refused.push({ snapshot: label, problem });
      return false;
    }
    (bad > 0 ? damaged : restored).push(label);
    return true;
  }

  async #publish(snapshot: StoredSnapshot): Promise<void> {
    const { datastore, options, locks, meter, signal } = this.#context;
    signal?.throwIfAborted();
    if (!datastore || !this.#takesPart(snapshot)) return;
    const label = snapshotLabel(snapshot.name);
    meter.phase('publish', label);
    if (this.#unsynced) await syncFileSystem(datastore.path, signal);
    this.#unsynced = false;
    try {
      const publisher = await SnapshotPublisher.begin({
        datastore,
        snapshot: snapshot.name,
        locks,
        random: options.random,
        owner: ownerOf(snapshot),
        groupNotes: snapshot.record.source.groupNotes ?? undefined,
        otherOwner: options.otherOwner,
      });
      await writeSnapshot(publisher, snapshot);
    } catch (error) {
      if (!(error instanceof NesteggError)) throw error;
      this.#refuse(label, problemOf(error));
    }
  }

  #refuse(label: string, problem: Problem): void {
    const { restored, damaged, refused } = this.#result;
    for (const list of [restored, damaged]) {
      const at = list.indexOf(label);
      if (at >= 0) list.splice(at, 1);
    }
    refused.push({ snapshot: label, problem });
  }
}

/** Indexes, blobs, protection, and the manifest last. */
async function writeSnapshot(publisher: SnapshotPublisher, snapshot: StoredSnapshot): Promise<void> {
  try {
    for (const { record, bytes } of snapshot.indexes) await publisher.writeIndex(record.name, bytes);
    for (const { name, bytes } of snapshot.blobs) await publisher.writeBlob(name, bytes);
    if (snapshot.record.source.protected) await publisher.protect();
    await publisher.publish(snapshot.manifestBlob);
  } catch (error) {
    await publisher.abandon();
    throw error;
  }
}
