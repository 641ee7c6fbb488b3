/** Indexes of made-up disks and archives, and the chunks under them. */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemClock } from '../../../src/core/clock.ts';
import { encodeBlob } from '../../../src/engine/pbs/data-blob.ts';
import { insertChunk, type ChunkTarget } from '../../../src/engine/pbs/datastore-writer/chunk-insert.ts';
import { datastoreOwner } from '../../../src/engine/pbs/datastore-writer/new-file.ts';
import { encodeDynamicIndex } from '../../../src/engine/pbs/dynamic-index.ts';
import { encodeFixedIndex, type FixedIndex } from '../../../src/engine/pbs/fixed-index.ts';
import { chunkDigest, type EncryptionKey } from '../../../src/engine/pbs/keys.ts';
import { chunkPath } from '../../../src/engine/pbs/layout.ts';
import { systemCode } from '../../../src/core/errors.ts';
import { quickChunk, realisticContent } from './content.ts';
import type { DiskPlan } from './plan.ts';
import { decide, SeededRandom, seedNumber } from './seeded.ts';

export interface ArchiveContext {
  /** Path of the datastore. */
  readonly path: string;
  /** Tells this archive from all others: datastore seed, group and file. */
  readonly seed: string;
  readonly key: EncryptionKey | undefined;
  readonly createdSeconds: number;
}

/** The latest snapshot, up to `snapshot`, that changed part `part`. */
function versionOf(seed: number, part: number, snapshot: number, changed: number): number {
  for (let version = snapshot; version > 0; version--) {
    if (decide(seed, part, version, 7) < changed) return version;
  }
  return 0;
}

function uuid(context: ArchiveContext, snapshot: number): Uint8Array {
  return new SeededRandom(`${context.seed}|uuid|${String(snapshot)}`).bytes(16);
}

/** The image of a disk at one snapshot. `previous` is that of the snapshot before, whose chunks need not be made again. */
export function writeDisk(
  context: ArchiveContext,
  disk: DiskPlan,
  snapshot: number,
  previous: FixedIndex | undefined,
): Uint8Array {
  const chunkSize = disk.chunkSize ?? 4 * 1024 * 1024;
  const count = Math.ceil(disk.sizeBytes / chunkSize);
  const digests = new Uint8Array(count * 32);
  const seed = seedNumber(context.seed);
  const put = disk.content === 'quick' ? putQuickChunk : putChunk;
  for (let index = 0; index < count; index++) {
    const version = versionOf(seed, index, snapshot, disk.changed);
    if (previous && version < snapshot) {
      digests.set(previous.digestAt(index), index * 32);
      continue;
    }
    const length = Math.min(chunkSize, disk.sizeBytes - index * chunkSize);
    digests.set(put(context, `${context.seed}|${String(index)}|${String(version)}`, length), index * 32);
  }
  const identity = { uuid: uuid(context, snapshot), createdSeconds: context.createdSeconds };
  return encodeFixedIndex({ ...identity, size: disk.sizeBytes, chunkSize }, digests);
}

/** A stream at one snapshot, in pieces whose lengths follow from their content, as content-defined cuts do. */
export function writeStream(
  context: ArchiveContext,
  bytes: number,
  average: number,
  changed: number,
  snapshot: number,
): Uint8Array {
  const seed = seedNumber(context.seed);
  const lengths: number[] = [];
  const digests: Uint8Array[] = [];
  for (let index = 0, end = 0; end < bytes; index++) {
    const version = versionOf(seed, index, snapshot, changed);
    const share = decide(seed, index, version, 11);
    const length = Math.min(Math.floor(average / 4 + share * share * average * 3.75), bytes - end);
    lengths.push(length);
    digests.push(putChunk(context, `${context.seed}|${String(index)}|${String(version)}`, length));
    end += length;
  }
  const identity = { uuid: uuid(context, snapshot), createdSeconds: context.createdSeconds };
  return encodeDynamicIndex(identity, lengths, Buffer.concat(digests));
}

function putChunk(context: ArchiveContext, seed: string, length: number): Uint8Array {
  const data = realisticContent(seed, length);
  const digest = chunkDigest(data, context.key);
  const random = new SeededRandom(`${seed}|iv`);
  const encryption = context.key && { key: context.key, iv: random.bytes(16) };
  const owner = datastoreOwner();
  const target: ChunkTarget = { path: context.path, owner, clock: systemClock, random, sync: 'later' };
  const cryptMode = context.key ? 'encrypt' : 'none';
  insertChunk(target, { digest, length, cryptMode, verify: 'crc' }, encodeBlob(data, { level: 1, encryption }));
  return digest;
}

/** Straight to its place: nobody else is there, and a million renames are many. */
function putQuickChunk(context: ArchiveContext, seed: string, length: number): Uint8Array {
  const { digest, blob } = quickChunk(new SeededRandom(seed), length);
  const path = join(context.path, chunkPath(digest));
  const descriptor = create(path);
  if (descriptor === undefined) return digest;
  writeSync(descriptor, blob);
  closeSync(descriptor);
  return digest;
}

/** @returns undefined when it is there. */
function create(path: string): number | undefined {
  try {
    return openSync(path, 'wx', 0o644);
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return undefined;
    if (systemCode(error) !== 'ENOENT') throw error;
    mkdirSync(dirname(path), { mode: 0o750 });
    return openSync(path, 'wx', 0o644);
  }
}
