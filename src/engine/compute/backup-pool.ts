import { startWorker } from '../../core/entry.ts';
import { CancelledError, type NesteggError } from '../../core/errors.ts';
import { packId, type BlobId } from '../../core/ids.ts';
import { batchDigest, batchId } from './chunk-batch.ts';
import { maxRepositories, type BadChunk, type ChunkBatch, type SealedPack } from './compute.ts';
import { columnBuffers, fromColumns, ownBuffer, wholeBuffer } from './entry-columns.ts';
import type { BackupWorkerData, FromBackupWorker, PackMessage, ToBackupWorker, WorkerRepository } from './messages.ts';
import { packCost } from './open-packs.ts';
import { PackCredit } from './pack-credit.ts';
import { planPool } from './pool-plan.ts';
import { Turnstile } from './turnstile.ts';
import { WorkerThread } from './worker-thread.ts';

/** Packs open and on their way, over all repositories. */
export const defaultBudgetBytes = 192 * 2 ** 20;

/** Batches that a worker has besides the one it is at: enough that it never waits for the main thread. */
const batchesPerWorker = 2;

export interface BatchOutcome {
  readonly chunks: number;
  /** Length of the data of all its chunks. */
  readonly dataBytes: number;
  /** Bytes of the chunk files that were read. */
  readonly readBytes: number;
  readonly bad: readonly BadChunk[];
}

export interface BackupPoolOptions {
  /** Folder of the datastore. */
  readonly datastore: string;
  readonly repositories: readonly WorkerRepository[];
  readonly threads: number;
  readonly budgetBytes: number;
  /**
   * Takes a pack to its repository. The pack counts against the budget until this settles. Must not reject: a failure is
   * answered with `drop`.
   */
  readonly onPack: (repository: number, pack: SealedPack) => Promise<void>;
  readonly onBatch: (outcome: BatchOutcome) => void;
  readonly signal?: AbortSignal | undefined;
}

interface Member {
  readonly thread: WorkerThread<ToBackupWorker, FromBackupWorker>;
  batches: number;
  yielded: ((packs: readonly PackMessage[]) => void) | undefined;
}

/**
 * The worker threads of one backup, as the main thread sees them. Batches are worked off in no particular order. Memory:
 * the budget, and per worker one chunk file of at most 16 MiB with its data.
 *
 * When a thread breaks or the signal aborts, every method rejects from then on, with the reason.
 */
export class BackupPool {
  readonly #options: BackupPoolOptions;
  readonly #credit: PackCredit;
  readonly #members: Member[] = [];
  readonly #state = new Turnstile();
  #numbers = 0;
  #uploads = 0;
  readonly #abort = (): void => {
    this.#fail(new CancelledError());
  };

  /** @throws UsageError when the budget is too small for one pack of every repository; RangeError for too many of them. */
  constructor(options: BackupPoolOptions) {
    if (options.repositories.length > maxRepositories) {
      throw new RangeError(`at most ${maxRepositories} repositories at once`);
    }
    this.#options = options;
    const { budgetBytes, repositories, signal } = options;
    const plan = planPool({
      threads: options.threads,
      budgetBytes,
      packBytes: repositories.map((repository) => packCost(repository.packBytes)),
    });
    this.#credit = PackCredit.create(budgetBytes, repositories.length);
    for (let number = 0; number < plan.threads; number += 1) this.#members.push(this.#start(plan.openPerWorker));
    if (signal?.aborted) this.#abort();
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** Gives the batch to a worker as soon as one has room; for one caller at a time. The batch belongs to the pool from then on. */
  async submit(batch: ChunkBatch): Promise<void> {
    let member: Member | undefined;
    await this.#state.until(() => {
      member = this.#members.reduce((least, other) => (other.batches < least.batches ? other : least));
      return member.batches < batchesPerWorker;
    });
    if (!member) return;
    member.batches += 1;
    const number = this.#numbers++;
    const buffers = [batch.digests, batch.lengths, batch.missing, batch.ids].map(wholeBuffer);
    member.thread.post({ type: 'batch', number, batch }, buffers);
  }

  /** The repository failed: nothing more is sealed for it, and what was is thrown away. Idempotent. */
  drop(repository: number): void {
    this.#credit.drop(repository);
  }

  /** Resolves when every chunk submitted so far was read and sealed. */
  async drain(): Promise<void> {
    await this.#state.until(() => this.#members.every((member) => member.batches === 0));
  }

  /** Resolves when everything submitted so far has been taken by `onPack`; no pack stays open. */
  async flush(): Promise<void> {
    await this.drain();
    let leftovers: readonly PackMessage[] = [];
    for (const member of this.#members) {
      if (leftovers.length > 0) member.thread.post({ type: 'absorb', packs: leftovers }, leftovers.flatMap(buffersOf));
      leftovers = await this.#yield(member);
    }
    for (const pack of leftovers) this.#upload(pack);
    await this.#state.until(() => this.#uploads === 0);
  }

  /** Ends the threads; what was not flushed is lost. Never rejects. */
  async close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#state.fail(new CancelledError('the pool was closed'));
    this.#credit.stop();
    await Promise.all(this.#members.map((member) => member.thread.terminate()));
  }

  #start(openPacks: number): Member {
    const { datastore, repositories } = this.#options;
    const workerData: BackupWorkerData = { datastore, repositories, openPacks, credit: this.#credit.memory };
    const thread = new WorkerThread<ToBackupWorker, FromBackupWorker>(
      startWorker(import.meta.url, './backup-worker', { workerData }),
      {
        message: (message) => {
          this.#receive(member, message);
        },
        failed: (error) => {
          this.#fail(error);
        },
      },
    );
    const member: Member = { thread, batches: 0, yielded: undefined };
    return member;
  }

  #receive(member: Member, message: FromBackupWorker): void {
    switch (message.type) {
      case 'pack':
        this.#upload(message);
        break;
      case 'batch-done':
        member.batches -= 1;
        this.#options.onBatch(outcomeOf(message, this.#options.repositories.length));
        break;
      case 'yielded':
        member.yielded?.(message.packs);
        member.yielded = undefined;
        break;
    }
    this.#state.changed();
  }

  async #yield(member: Member): Promise<readonly PackMessage[]> {
    let answer: readonly PackMessage[] | undefined;
    member.yielded = (packs) => {
      answer = packs;
    };
    member.thread.post({ type: 'yield' });
    await this.#state.until(() => answer !== undefined);
    return answer ?? [];
  }

  #upload(message: PackMessage): void {
    const { repository } = message;
    const done = (): void => {
      this.#uploads -= 1;
      this.#credit.give(packCost(this.#options.repositories[repository]?.packBytes ?? 0));
      this.#state.changed();
    };
    this.#uploads += 1;
    if (this.#credit.isDropped(repository)) {
      done();
      return;
    }
    const { id, bytes, entries, epoch } = message;
    const pack = { id: packId(id), bytes, entries: fromColumns(entries), epoch };
    void this.#options.onPack(repository, pack).then(done, (error: unknown) => {
      done();
      this.#state.fail(error);
    });
  }

  #fail(error: NesteggError): void {
    this.#state.fail(error);
    this.#credit.stop();
  }
}

function buffersOf(pack: PackMessage): ArrayBuffer[] {
  return [ownBuffer(pack.bytes), ...columnBuffers(pack.entries)];
}

function outcomeOf(
  { batch, readBytes, bad }: Extract<FromBackupWorker, { type: 'batch-done' }>,
  repositories: number,
): BatchOutcome {
  let dataBytes = 0;
  for (let at = 0; at < batch.count; at += 1) dataBytes += batch.lengths[at] ?? 0;
  const named = bad.map(({ at, problem }): BadChunk => {
    const ids: BlobId[] = [];
    for (let repository = 0; repository < repositories; repository += 1) ids.push(batchId(batch, at, repository));
    return { rule: batch.rule, digest: batchDigest(batch, at), missing: batch.missing[at] ?? 0, ids, problem };
  });
  return { chunks: batch.count, dataBytes, readBytes, bad: named };
}
