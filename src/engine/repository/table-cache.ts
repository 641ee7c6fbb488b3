import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex, utf8 } from '../../core/bytes.ts';
import type { SegmentId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import { sha256Hex } from '../crypto/sha256.ts';
import type { IndexedPack } from '../format/index-segment.ts';
import type { BlobTable, DeadSet, TableStamp } from './blob-table.ts';
import { loadLmdb, LmdbTable } from './lmdb-table.ts';
import { MemoryTable } from './memory-table.ts';

export interface TableRequest {
  /** Folder for tables of this repository, or `undefined` to keep nothing. */
  readonly directory: string | undefined;
  readonly segments: ReadonlySet<SegmentId>;
  readonly dead: DeadSet;
  readonly random: Random;
  /** The packs of a segment, or `undefined` when it is lost: then it stays out of the table. */
  readonly readSegment: (id: SegmentId) => Promise<readonly IndexedPack[] | undefined>;
  /** `lmdb` and `memory` force one; `auto` takes LMDB where it loads and there is a folder for it. */
  readonly kind?: 'auto' | 'lmdb' | 'memory';
}

const parallelReads = 16;

/**
 * A table that stands for exactly the wanted segments without the dead packs: a kept one, brought up to date when it
 * lacks only newer segments, else a new one. Tables that fit no longer are removed; processes that still read one keep it
 * until they close it.
 */
export async function openTable(request: TableRequest): Promise<BlobTable> {
  const table = (await keptTable(request)) ?? (await newTable(request));
  await addSegments(table, request);
  return table;
}

/** Adds what the table lacks of the wanted segments. */
export async function addSegments(
  table: BlobTable,
  wanted: Pick<TableRequest, 'segments' | 'readSegment'>,
): Promise<void> {
  const have = table.stamp().segments;
  const missing = [...wanted.segments].filter((id) => !have.has(id)).sort();
  for (let at = 0; at < missing.length; at += parallelReads) {
    const batch = missing.slice(at, at + parallelReads);
    const read = await Promise.all(batch.map(async (id) => ({ id, packs: await wanted.readSegment(id) })));
    for (const { id, packs } of read) if (packs) table.add(id, packs);
  }
}

/** Whether a table with this stamp can be brought up to date by adding alone. */
export function fits(stamp: TableStamp, segments: ReadonlySet<SegmentId>, dead: DeadSet): boolean {
  if (stamp.dead.size !== dead.size) return false;
  for (const each of dead) if (!stamp.dead.has(each)) return false;
  for (const segment of stamp.segments) if (!segments.has(segment)) return false;
  return true;
}

async function keptTable(request: TableRequest): Promise<BlobTable | undefined> {
  const lmdb = request.kind === 'memory' ? undefined : await loadLmdb();
  if (!lmdb || request.directory === undefined) return undefined;
  await mkdir(request.directory, { recursive: true, mode: 0o700 });
  let found: LmdbTable | undefined;
  for (const name of await readdir(request.directory)) {
    const path = join(request.directory, name);
    const mayFit = !found && name.startsWith(`${nameOf(request.dead)}-`);
    const table = mayFit ? tryOpen(() => new LmdbTable(lmdb, path)) : undefined;
    if (table && fits(table.stamp(), request.segments, request.dead)) {
      found = table;
    } else {
      await table?.close();
      // Another process may be opening or removing it too; what stays is removed another time.
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
    }
  }
  return found;
}

async function newTable(request: TableRequest): Promise<BlobTable> {
  const lmdb = request.kind === 'memory' ? undefined : await loadLmdb();
  const name = `${nameOf(request.dead)}-${toHex(request.random.bytes(8))}`;
  const path = lmdb && request.directory !== undefined ? join(request.directory, name) : undefined;
  const kept = lmdb && path !== undefined ? tryOpen(() => new LmdbTable(lmdb, path)) : undefined;
  const table = kept ?? new MemoryTable();
  if (request.dead.size > 0) table.setDead(request.dead);
  return table;
}

/** First part of the folder's name: nobody adds to a table that is made for other dead packs, or is not told of them yet. */
function nameOf(dead: DeadSet): string {
  return sha256Hex(utf8([...dead].sort().join(' '))).slice(0, 16);
}

/** A damaged cache is not worth a failure: it is thrown away and made anew. */
function tryOpen<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}
