/**
 * Brings the chunks of a window into the target: looks what is there and proves it, then fetches the rest, every piece of
 * a pack once, several at a time, and lets the workers open, prove and insert.
 */
import { CorruptionError, StorageError } from '../../core/errors.ts';
import { Semaphore } from '../../core/semaphore.ts';
import { chunkStates } from '../compute/restore-messages.ts';
import type { RestorePool } from '../compute/restore-pool.ts';
import type { BlobLocation, Repository } from '../repository/repository.ts';
import type { ChunkPlan } from './chunk-plan.ts';
import { planFetches, type Needed, type Piece } from './fetch-plan.ts';

const chunksPerInspection = 128;
const piecesAtOnce = 8;

export interface FetcherOptions {
  readonly repository: Repository;
  readonly plan: ChunkPlan;
  readonly pool: RestorePool;
  readonly budgetBytes: number;
  readonly onFetched: (bytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

export class ChunkFetcher {
  readonly #options: FetcherOptions;
  readonly #budget: Semaphore;
  readonly #slots = new Semaphore(piecesAtOnce);
  #copies: Promise<ReadonlyMap<number, readonly BlobLocation[]>> | undefined;

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#budget = new Semaphore(options.budgetBytes);
  }

  /** Afterwards every chunk is `present`, `absent` or `bad`. @param touch not in a dry run. */
  async inspect(touch: boolean): Promise<void> {
    const { plan, pool, signal } = this.#options;
    const slots = new Semaphore(pool.threads * 2);
    const jobs: Promise<void>[] = [];
    for (let from = 0; from < plan.count; from += chunksPerInspection) {
      const release = await slots.take(1, signal);
      const chunks = range(from, Math.min(plan.count, from + chunksPerInspection));
      const job = pool
        .run({ type: 'inspect', chunks: plan.columnsOf(chunks), touch })
        .then(({ states }) => {
          chunks.forEach((chunk, at) => {
            plan.setState(chunk, states[at] ?? chunkStates.unknown);
          });
        })
        .finally(release);
      job.catch(() => undefined);
      jobs.push(job);
    }
    await Promise.all(jobs);
  }

  /** In a target without chunks nothing needs to be looked for. */
  assumeAbsent(): void {
    for (let chunk = 0; chunk < this.#options.plan.count; chunk += 1) {
      this.#options.plan.setState(chunk, chunkStates.absent);
    }
  }

  /** What has to be fetched for chunks that are not present. Chunks that no pack has are quarantined. */
  plan(): Piece[] {
    const { plan, repository } = this.#options;
    const needed: Needed[] = [];
    for (let chunk = 0; chunk < plan.count; chunk += 1) {
      if (plan.stateOf(chunk) === chunkStates.present) continue;
      const location = repository.locate(plan.idAt(chunk));
      if (location) needed.push(neededAt(chunk, plan.ownerOf(chunk), location));
      else plan.quarantine(chunk, 'no pack of the repository has it');
    }
    return planFetches(needed, this.#longestPiece());
  }

  /** Fetches one piece and inserts its chunks. @throws StorageError when the store cannot be reached, NesteggError (`restore.target`). */
  async fetch(piece: Piece): Promise<void> {
    const { signal } = this.#options;
    const releaseSlot = await this.#slots.take(1, signal);
    const releaseBytes = await this.#budget.take(piece.length, signal).catch((error: unknown) => {
      releaseSlot();
      throw error;
    });
    try {
      const bad = await this.#extract(piece);
      this.#quarantine(bad);
      if (bad.size > 0) await this.#lookElsewhere(bad);
    } finally {
      releaseBytes();
      releaseSlot();
    }
  }

  /** @returns the chunks that could not be read or proven, and why. */
  async #extract(piece: Piece): Promise<Map<Needed, string>> {
    const { repository, plan, pool, onFetched, signal } = this.#options;
    const bad = new Map<Needed, string>();
    let bytes: Uint8Array;
    try {
      bytes = await repository.readPack(piece.pack, piece.start, piece.length, signal);
    } catch (error) {
      if (!isLoss(error)) throw error;
      for (const needed of piece.chunks) bad.set(needed, error.message);
      return bad;
    }
    onFetched(bytes.byteLength);
    const chunks = piece.chunks.map((needed) => needed.chunk);
    const answer = await pool.run({
      type: 'extract',
      chunks: plan.columnsOf(chunks),
      bytes: ownBuffer(bytes),
      start: piece.start,
      epoch: piece.epoch,
      blobIds: idsOf(plan, chunks),
      places: Uint32Array.from(piece.chunks.flatMap((each) => [each.offset, each.sealedLength, each.plainLength])),
    });
    piece.chunks.forEach((needed, at) => {
      plan.setState(needed.chunk, answer.states[at] ?? chunkStates.unknown);
    });
    for (const { at, reason } of answer.failures) {
      const needed = piece.chunks[at];
      if (needed) bad.set(needed, `pack ${needed.pack}: ${reason}`);
    }
    return bad;
  }

  #quarantine(bad: ReadonlyMap<Needed, string>): void {
    for (const [{ chunk }, reason] of bad) this.#options.plan.quarantine(chunk, reason);
  }

  /** Other packs may hold the same chunks, from runs that did not know of these ones. */
  async #lookElsewhere(bad: ReadonlyMap<Needed, string>): Promise<void> {
    const copies = await (this.#copies ??= this.#findCopies());
    let left = [...bad.keys()];
    for (let round = 0; left.length > 0; round += 1) {
      const others = left.flatMap(({ chunk, owner }) => {
        const location = copies.get(chunk)?.[round];
        return location ? [neededAt(chunk, owner, location)] : [];
      });
      left = [];
      for (const piece of planFetches(others, this.#longestPiece())) {
        const again = await this.#extract(piece);
        this.#quarantine(again);
        left.push(...again.keys());
      }
    }
  }

  /** Where the chunks of the window lie besides the place that the index tells first: few, and looked for once. */
  async #findCopies(): Promise<ReadonlyMap<number, readonly BlobLocation[]>> {
    const { plan, repository, signal } = this.#options;
    const copies = new Map<number, BlobLocation[]>();
    for await (const location of repository.locateAll((id) => plan.numberOf(id) >= 0, signal)) {
      if (repository.locate(location.entry.id)?.pack === location.pack) continue;
      const chunk = plan.numberOf(location.entry.id);
      copies.set(chunk, [...(copies.get(chunk) ?? []), location]);
    }
    return copies;
  }

  #longestPiece(): number {
    return Math.floor(this.#options.budgetBytes / 3);
  }
}

function neededAt(chunk: number, owner: number, { pack, epoch, packBytes, entry }: BlobLocation): Needed {
  const { offset, sealedLength, plainLength } = entry;
  return { chunk, owner, pack, epoch, packBytes, offset, sealedLength, plainLength };
}

/** The object is gone or damaged, which concerns its chunks alone; anything else concerns the whole store. */
function isLoss(error: unknown): error is Error {
  if (error instanceof CorruptionError) return true;
  return error instanceof StorageError && (error.code === 'storage.not-found' || error.code === 'storage.corrupt');
}

/** Workers are given the bytes themselves, which therefore must not be a part of something larger. */
function ownBuffer(bytes: Uint8Array): Uint8Array {
  return bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength === bytes.byteLength ? bytes : bytes.slice();
}

function idsOf(plan: ChunkPlan, chunks: readonly number[]): Uint8Array {
  const ids = new Uint8Array(chunks.length * 32);
  chunks.forEach((chunk, at) => {
    ids.set(plan.idAt(chunk), at * 32);
  });
  return ids;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}
