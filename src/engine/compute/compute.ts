/**
 * # Compute: the worker threads of the bulk path
 *
 * Words: a *batch* is a run of chunks of one file that at least one repository misses. An *open pack* is being filled by
 * one worker for one repository. *Leftovers* are the sealed blobs of an open pack that is not full when a group of
 * snapshots is about to be committed; they are merged, so that a commit leaves one small pack and not one per thread.
 * *Credit* is the right to hold the bytes of one pack, open or on its way; see `pack-credit.ts`.
 *
 * Invariants: the bytes of a chunk are read once, through one descriptor into one buffer, and that buffer is checked and
 * sealed for every repository. Chunk bytes never pass through the main thread: it sees sealed packs, transferred, not
 * copied. Nothing is sealed that was not checked as its assurance says. A thread that breaks fails the whole pool with
 * an error; nothing waits for it. A repository that is dropped stops taking part; the others go on.
 */
import type { BlobId, PackId } from '../../core/ids.ts';
import type { PackEntry } from '../format/blob.ts';
import type { ChunkProblem } from '../pbs/chunk-reader.ts';
import type { CryptMode } from '../pbs/manifest.ts';

/** How the chunks of one file are checked. */
export interface ChunkRule {
  /** Of the file: what the magic of every chunk must say. */
  readonly cryptMode: CryptMode;
  /** `digest`: all that can be proven. `crc`: only that PBS stored these bytes. */
  readonly verify: 'digest' | 'crc';
}

/**
 * Chunks in columns: a million of them are a few arrays. Filled by `BatchBuilder`, transferred to a worker, which owns
 * it from then on.
 */
export interface ChunkBatch {
  readonly rule: ChunkRule;
  readonly count: number;
  /** PBS digests, 32 bytes each. */
  readonly digests: Uint8Array;
  /** Length of the data of each chunk, as the index tells. */
  readonly lengths: Uint32Array;
  /** Bit r: repository r misses the chunk. */
  readonly missing: Uint32Array;
  /** Blob ids, for each chunk one in every repository, 32 bytes each; zeros where it is not missed. */
  readonly ids: Uint8Array;
}

/** One chunk that could not be read or did not prove to be what its digest says. */
export interface BadChunk {
  readonly rule: ChunkRule;
  readonly digest: Uint8Array;
  /** Bit r: repository r missed it, and its claim there must be given up. */
  readonly missing: number;
  /** One for each repository, as in the batch. */
  readonly ids: readonly BlobId[];
  readonly problem: ChunkProblem;
}

/** A sealed pack that a worker filled. */
export interface SealedPack {
  readonly id: PackId;
  readonly bytes: Uint8Array;
  readonly entries: readonly PackEntry[];
  /** Key epoch it is sealed with. */
  readonly epoch: number;
}

/** Most repositories of one pool: the width of the `missing` mask. */
export const maxRepositories = 31;
