/**
 * What the main thread and the restore workers say to each other. Arrays are transferred, as in `messages.ts`.
 */
import type { ExportedKeys } from '../format/keys.ts';
import type { ChunkRule } from './compute.ts';

/** `workerData` of a restore worker. */
export interface RestoreWorkerData {
  readonly datastore: string;
  readonly keys: ExportedKeys;
  /** Files are given to this owner: that of PBS, when we are root. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** One cell; not 0: stop after the chunk at hand. */
  readonly stop: SharedArrayBuffer;
}

/** Chunks of a datastore, in columns. */
export interface ChunkColumns {
  readonly count: number;
  /** PBS digests, 32 bytes each. */
  readonly digests: Uint8Array;
  /** Length of the data of each. */
  readonly lengths: Uint32Array;
  /** Which of `rules` each is checked by. */
  readonly ruleOf: Uint8Array;
  readonly rules: readonly ChunkRule[];
}

/** Looks which chunks are in the datastore and proves them. */
export interface InspectJob {
  readonly type: 'inspect';
  readonly chunks: ChunkColumns;
  /** Proven chunks get a new access time, so that garbage collection spares them. Not in a dry run. */
  readonly touch: boolean;
}

/** Opens blobs of one pack, proves them and inserts them. */
export interface ExtractJob {
  readonly type: 'extract';
  readonly chunks: ChunkColumns;
  /** A part of the pack, from `start`. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly epoch: number;
  /** 32 bytes each. */
  readonly blobIds: Uint8Array;
  /** Offset in the pack, sealed length and plain length of each. */
  readonly places: Uint32Array;
}

/** What became of one chunk: the values of `states` in an answer. */
export const chunkStates = {
  unknown: 0,
  absent: 1,
  present: 2,
  bad: 3,
  written: 4,
  replaced: 5,
  unreadable: 6,
} as const;

export type ToRestoreWorker =
  { readonly number: number; readonly job: InspectJob | ExtractJob } | { readonly end: true };

export interface ChunkFailure {
  /** Index within the job. */
  readonly at: number;
  readonly reason: string;
}

export interface RestoreAnswer {
  /** One of `chunkStates` for each chunk. */
  readonly states: Uint8Array;
  /** Bytes of chunk files written. */
  readonly writtenBytes: number;
  readonly failures: readonly ChunkFailure[];
}

/** `error`: the target cannot be written; nothing of the job counts. */
export type FromRestoreWorker =
  | ({ readonly type: 'answer'; readonly number: number } & RestoreAnswer)
  | { readonly type: 'error'; readonly number: number; readonly message: string; readonly hint: string | undefined };
