/** What a reader process can be asked about its repository, and what it answers: plain JSON. */

export type RepositoryRequest =
  /** All snapshots, newest first, from a journal that was just read again. */
  | { readonly type: 'snapshots' }
  /** One snapshot with its files. `id` is an id or a unique prefix of one. */
  | { readonly type: 'snapshot'; readonly id: string };

export interface SnapshotRow {
  readonly id: string;
  readonly backup: string;
  readonly group: string;
  readonly item: string;
  readonly timeMs: number;
  readonly sizeBytes: number;
  readonly damaged: boolean;
  readonly committedMs: number;
  readonly offsiteMs?: number;
}

export interface SnapshotFileRow {
  readonly name: string;
  readonly kind: 'blob' | 'fixed' | 'dynamic';
  readonly sizeBytes: number;
  /** Chunks that could not be read when it was backed up. */
  readonly holes: number;
}

export interface SnapshotRecordRow extends SnapshotRow {
  readonly device: string;
  readonly run: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly files: readonly SnapshotFileRow[];
  readonly pbs?: {
    readonly datastore: string;
    readonly namespace: string;
    readonly owner?: string;
    readonly protected: boolean;
  };
}

/** The answer to each request. */
export interface RepositoryAnswers {
  readonly snapshots: readonly SnapshotRow[];
  readonly snapshot: SnapshotRecordRow;
}

/** Opens the repository at the first question, and again after a question that failed. */
export interface RepositoryReader {
  /** Newest first, from a journal that is read again each time. */
  snapshots(): Promise<readonly SnapshotRow[]>;
  /** `id` is an id or a unique prefix of one. @throws NotFoundError; UsageError `ambiguous` */
  snapshot(id: string): Promise<SnapshotRecordRow>;
  close(): Promise<void>;
}
