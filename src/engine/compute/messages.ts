/**
 * What the main thread and the workers say to each other. Every array in a message is transferred: it belongs to the
 * receiver from then on, and the sender does not touch it again.
 */
import type { ExportedKeys } from '../format/keys.ts';
import type { ChunkProblem } from '../pbs/chunk-reader.ts';
import type { ChunkBatch } from './compute.ts';
import type { EntryColumns } from './entry-columns.ts';

export interface WorkerRepository {
  readonly keys: ExportedKeys;
  /** What the builder of a pack may fill. */
  readonly packBytes: number;
  readonly slabBytes: number | undefined;
}

/** `workerData` of a backup worker: cloned, not shared, but for the credit. */
export interface BackupWorkerData {
  readonly datastore: string;
  readonly repositories: readonly WorkerRepository[];
  readonly openPacks: number;
  readonly credit: SharedArrayBuffer;
}

export interface PackMessage {
  readonly repository: number;
  readonly id: string;
  readonly epoch: number;
  readonly bytes: Uint8Array;
  readonly entries: EntryColumns;
}

export type ToBackupWorker =
  | { readonly type: 'batch'; readonly number: number; readonly batch: ChunkBatch }
  /** Answer with the packs that are not full, finished; nothing stays open. */
  | { readonly type: 'yield' }
  /** Take these leftovers of another worker into the open packs where they fit; the others leave with the next `yield`. */
  | { readonly type: 'absorb'; readonly packs: readonly PackMessage[] }
  | { readonly type: 'end' };

export interface BadPosition {
  /** Index within the batch. */
  readonly at: number;
  readonly problem: ChunkProblem;
}

export type FromBackupWorker =
  /** A finished pack: to be uploaded. Its credit is given back by the main thread. */
  | ({ readonly type: 'pack' } & PackMessage)
  /** The batch comes back with its arrays, because bad chunks are named by their place in it. */
  | {
      readonly type: 'batch-done';
      readonly number: number;
      readonly batch: ChunkBatch;
      readonly readBytes: number;
      readonly bad: readonly BadPosition[];
    }
  | { readonly type: 'yielded'; readonly packs: readonly PackMessage[] };
