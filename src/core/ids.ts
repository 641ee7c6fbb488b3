/**
 * The branded identifiers of the project. Hashes travel as 32 raw bytes where there can be millions of them
 * (`Digest`, `BlobId`), and as 64 lower-case hex digits where they are names (`PackId` and the rest). Each has one
 * checking constructor here; nothing else may cast to a brand.
 */

declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** BLAKE3-256 of a content, or of a PBS chunk identity (repository format, "Identities"). 32 bytes. */
export type Digest = Branded<Uint8Array, 'Digest'>;
/** Identity of a blob within one repository: keyed BLAKE3 over kind, length and digest. 32 bytes. */
export type BlobId = Branded<Uint8Array, 'BlobId'>;
/** SHA-256, in hex, of the stored bytes of a pack. */
export type PackId = Branded<string, 'PackId'>;
/** SHA-256, in hex, of the stored bytes of an index segment. */
export type SegmentId = Branded<string, 'SegmentId'>;
/** SHA-256, in hex, of the stored bytes of a journal entry. */
export type EntryId = Branded<string, 'EntryId'>;
/** SHA-256, in hex, of the stored bytes of a checkpoint. */
export type CheckpointId = Branded<string, 'CheckpointId'>;
/** Random, 32 hex digits; the identity of a repository, taken from its key slots. */
export type RepositoryId = Branded<string, 'RepositoryId'>;
/** The Ed25519 public key of a writer, 64 hex digits. */
export type WriterId = Branded<string, 'WriterId'>;
/** First 32 hex digits of the digest of a snapshot record. */
export type SnapshotId = Branded<string, 'SnapshotId'>;
/** Random, 32 hex digits: one backup task over all its repositories. */
export type RunId = Branded<string, 'RunId'>;
/** ULID-like, sortable by time: one task. */
export type TaskId = Branded<string, 'TaskId'>;

// The type parameter names the brand at each call.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
function hexId<Id extends string>(what: string, length: number): (text: string) => Id {
  const shape = new RegExp(`^[0-9a-f]{${String(length)}}$`);
  return (text) => {
    if (!shape.test(text)) throw new RangeError(`${what} must be ${String(length)} hex digits`);
    return text as Id;
  };
}

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
function bytesId<Id extends Uint8Array>(what: string): (bytes: Uint8Array) => Id {
  return (bytes) => {
    if (bytes.byteLength !== 32) throw new RangeError(`${what} must be 32 bytes`);
    return bytes as Id;
  };
}

export const digest = bytesId<Digest>('digest');
export const blobId = bytesId<BlobId>('blob id');
export const packId = hexId<PackId>('pack id', 64);
export const segmentId = hexId<SegmentId>('index segment id', 64);
export const entryId = hexId<EntryId>('journal entry id', 64);
export const checkpointId = hexId<CheckpointId>('checkpoint id', 64);
export const repositoryId = hexId<RepositoryId>('repository id', 32);
export const writerId = hexId<WriterId>('writer id', 64);
export const snapshotId = hexId<SnapshotId>('snapshot id', 32);
export const runId = hexId<RunId>('run id', 32);

export function taskId(text: string): TaskId {
  if (!/^[0-9a-z]{16,40}$/.test(text)) throw new RangeError('task id must be 16 to 40 lower-case letters and digits');
  return text as TaskId;
}
