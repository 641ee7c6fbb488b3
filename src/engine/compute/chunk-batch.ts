import { blobId, type BlobId } from '../../core/ids.ts';
import type { ChunkBatch, ChunkRule } from './compute.ts';

const digestBytes = 32;

/** Collects the columns of one batch. A builder is used once. */
export class BatchBuilder {
  readonly #rule: ChunkRule;
  readonly #repositories: number;
  readonly #capacity: number;
  readonly #digests: Uint8Array;
  readonly #lengths: Uint32Array;
  readonly #missing: Uint32Array;
  readonly #ids: Uint8Array;
  #count = 0;
  #bytes = 0;

  constructor(rule: ChunkRule, repositories: number, capacity: number) {
    this.#rule = rule;
    this.#repositories = repositories;
    this.#capacity = capacity;
    this.#digests = new Uint8Array(capacity * digestBytes);
    this.#lengths = new Uint32Array(capacity);
    this.#missing = new Uint32Array(capacity);
    this.#ids = new Uint8Array(capacity * repositories * digestBytes);
  }

  get count(): number {
    return this.#count;
  }

  /** Length of the data of all chunks so far. */
  get dataBytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#count === this.#capacity;
  }

  /** Copies the arguments. `ids`: one for each repository, undefined where the chunk is not missed. @throws RangeError when full. */
  add(digest: Uint8Array, length: number, ids: readonly (BlobId | undefined)[]): void {
    if (this.isFull) throw new RangeError('the batch is full');
    const at = this.#count;
    let mask = 0;
    for (let repository = 0; repository < this.#repositories; repository += 1) {
      const id = ids[repository];
      if (id === undefined) continue;
      mask |= 1 << repository;
      this.#ids.set(id, (at * this.#repositories + repository) * digestBytes);
    }
    this.#digests.set(digest, at * digestBytes);
    this.#lengths[at] = length;
    this.#missing[at] = mask;
    this.#bytes += length;
    this.#count += 1;
  }

  /** The batch, over the builder's own memory. */
  finish(): ChunkBatch {
    return {
      rule: this.#rule,
      count: this.#count,
      digests: this.#digests,
      lengths: this.#lengths,
      missing: this.#missing,
      ids: this.#ids,
    };
  }
}

/** The digest of chunk `at`: a view. */
export function batchDigest(batch: ChunkBatch, at: number): Uint8Array {
  return batch.digests.subarray(at * digestBytes, (at + 1) * digestBytes);
}

/** The blob id of chunk `at` in one repository: a view. */
export function batchId(batch: ChunkBatch, at: number, repository: number): BlobId {
  const repositories = batch.ids.byteLength / (batch.lengths.length * digestBytes);
  const start = (at * repositories + repository) * digestBytes;
  return blobId(batch.ids.subarray(start, start + digestBytes));
}
