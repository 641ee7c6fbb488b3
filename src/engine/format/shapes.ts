/** JSON shapes that entries, checkpoints and records have in common. */
import {
  blobId,
  checkpointId,
  digest,
  entryId,
  packId,
  repositoryId,
  runId,
  segmentId,
  snapshotId,
  writerId,
  type BlobId,
  type EntryId,
  type PackId,
  type SnapshotId,
  type WriterId,
} from '../../core/ids.ts';
import type { BlobRef } from './blob.ts';
import { flag, hexBytes, id, integer, list, mapped, oneOf, text, tuple, type Shape } from './json.ts';
import { limits } from './limits.ts';

/** No list in a JSON object of the format may be longer; most are held far shorter by the limit of the object. */
export const longestList = 2 ** 22;

export const checkpointIds = id(checkpointId);
export const packIds = id(packId);
export const repositoryIds = id(repositoryId);
export const runIds = id(runId);
export const segmentIds = id(segmentId);
export const snapshotIds = id(snapshotId);
export const writerIds = id(writerId);
/** Milliseconds since 1970. */
export const times = integer(0, 8.64e15);
export const names = text(limits.recordNameBytes);

/** `["<digest hex>", plain length]`. */
export const refs: Shape<BlobRef> = mapped<readonly [Uint8Array, number], BlobRef>(
  tuple(hexBytes(32), integer(0, 0xffffffff)),
  ([bytes, length]) => ({ digest: digest(bytes), length }),
  (ref) => [ref.digest, ref.length],
);

/** The last entry of one writer that somebody saw. */
export interface JournalHead {
  readonly writer: WriterId;
  readonly sequence: number;
  readonly id: EntryId;
}

/** `["<writer>", sequence, "<sha256>"]`. */
export const heads: Shape<JournalHead> = mapped<readonly [WriterId, number, EntryId], JournalHead>(
  tuple(writerIds, integer(1), id(entryId)),
  ([writer, sequence, entry]) => ({ writer, sequence, id: entry }),
  (head) => [head.writer, head.sequence, head.id],
);

/** A blob that must be taken as absent, in one pack. */
export interface DamagedBlob {
  readonly pack: PackId;
  readonly blob: BlobId;
}

/** `["<pack>", "<blob id>"]`. */
export const damagedBlobs: Shape<DamagedBlob> = mapped<readonly [PackId, Uint8Array], DamagedBlob>(
  tuple(packIds, hexBytes(32)),
  ([pack, bytes]) => ({ pack, blob: blobId(bytes) }),
  ({ pack, blob }) => [pack, blob],
);

/** Names of features that each role must know. */
export interface Features {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly maintain: readonly string[];
}

const featureNames = list(text(64), 256);
export const featureFields = { read: featureNames, write: featureNames, maintain: featureNames };

export interface Grant {
  readonly writer: WriterId;
  readonly role: 'maintain';
}

/** `["<writer>", "maintain"]`. */
export const grants: Shape<Grant> = mapped<readonly [WriterId, 'maintain'], Grant>(
  tuple(writerIds, oneOf('maintain')),
  ([writer, role]) => ({ writer, role }),
  (grant) => [grant.writer, grant.role],
);

/** A snapshot as an entry tells it, without its record. */
export interface SnapshotListing {
  readonly id: SnapshotId;
  readonly record: BlobRef;
  readonly backup: string;
  readonly group: string;
  readonly item: string;
  readonly timeMs: number;
  readonly sizeBytes: number;
  readonly damaged: boolean;
}

export const listingFields = {
  id: snapshotIds,
  record: refs,
  backup: names,
  group: names,
  item: names,
  timeMs: times,
  sizeBytes: integer(0),
  damaged: flag,
};
