/**
 * # Blob table: which blob lies where
 *
 * The disposable local answer to "is this blob in an alive pack, and where": made from the index segments that the
 * journal names, without the packs that are dead. It holds one location a blob; when a pack dies, the table is made anew,
 * so a copy elsewhere is found again. A miss is always safe (the blob is uploaded once more); a hit must be right.
 *
 * Two implementations under one contract (`test/contracts/blob-table-contract.ts`): LMDB, shared by processes and larger
 * than memory if need be, each value with a keyed check; and typed arrays in memory.
 */
import { toHex } from '../../core/bytes.ts';
import type { BlobId, PackId, SegmentId } from '../../core/ids.ts';
import type { IndexedPack } from '../format/index-segment.ts';
import type { BlobLocation } from './repository.ts';

/** What must not be used: whole packs (`<pack id>`) and single blobs of packs (`<pack id>/<blob id in hex>`). */
export type DeadSet = ReadonlySet<string>;

/** How a single blob of a pack is named in a `DeadSet`. */
export function deadBlob(pack: PackId, blob: BlobId): string {
  return `${pack}/${toHex(blob)}`;
}

/** The packs without what is dead. */
export function alivePart(packs: readonly IndexedPack[], dead: DeadSet): readonly IndexedPack[] {
  if (dead.size === 0) return packs;
  return packs
    .filter((pack) => !dead.has(pack.id))
    .map((pack) => ({ ...pack, entries: pack.entries.filter((entry) => !dead.has(deadBlob(pack.id, entry.id))) }));
}

/** What the table was made from. */
export interface TableStamp {
  readonly segments: ReadonlySet<SegmentId>;
  readonly dead: DeadSet;
}

export interface BlobTable {
  /** Segments and dead packs that the content stands for; empty for a new table. */
  stamp(): TableStamp;
  /** Adds the packs of one segment, without dead ones, and adds the segment to the stamp; one atomic step. */
  add(segment: SegmentId, packs: readonly IndexedPack[]): void;
  /** Declares what is dead for segments added from now on; only on an empty table. */
  setDead(dead: DeadSet): void;
  /** Number of the pack that holds the blob, to compare and remember cheaply, or -1. */
  packNumberOf(id: BlobId): number;
  packAt(number: number): PackId;
  get(id: BlobId): BlobLocation | undefined;
  /** All packs in the table. */
  packs(): Iterable<PackId>;
  readonly size: number;
  close(): Promise<void>;
}
