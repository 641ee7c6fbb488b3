/** Inserting chunks, as restore workers do it: synchronously, safe for several writers of one digest at once. */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  unlinkSync,
  utimesSync,
  writeSync,
  chmodSync,
  chownSync,
  type Stats,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { NesteggError, systemCode } from '../../../core/errors.ts';
import type { Random } from '../../../core/random.ts';
import { readChunkFile, type ChunkExpectation } from '../chunk-reader.ts';
import { chunkPath } from '../layout.ts';
import { cannotWrite, temporarySuffix, type FileOwner } from './new-file.ts';

export interface ChunkTarget {
  /** Path of the datastore. */
  readonly path: string;
  readonly owner: FileOwner;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * `each`: a chunk and its name are durable when `insertChunk` returns. `later`: the caller makes all of them durable
   * (`syncFileSystem`) before it publishes.
   */
  readonly sync: 'each' | 'later';
  /** As for `readChunkFile`. */
  readonly scratch?: Uint8Array | undefined;
}

/** `present`: it was there and proven. `replaced`: what was there was bad. */
export type InsertOutcome = 'written' | 'present' | 'replaced';

/**
 * Makes sure that the chunk is in the datastore. `blob` must be proven by the caller against the same `expectation`; it
 * is not kept. A chunk that is there is read and proven, never trusted, and touched, so that garbage collection spares it
 * for a day. @throws NesteggError (`restore.target`). Idempotent.
 */
export function insertChunk(target: ChunkTarget, expectation: ChunkExpectation, blob: Uint8Array): InsertOutcome {
  const path = join(target.path, chunkPath(expectation.digest));
  const status = look(path);
  if (status && !status.isFile()) throw new NesteggError('restore.target', `${path} is not a regular file`);
  if (status && readChunkFile(path, expectation, target.scratch).outcome === 'read' && touchChunk(path, target.clock)) {
    return 'present';
  }
  writeChunk(target, path, blob);
  return status ? 'replaced' : 'written';
}

/**
 * Sets the access time to now, which is what garbage collection looks at; the modification time stays.
 * @returns false when there is no such chunk, or only an empty file. @throws NesteggError (`restore.target`).
 */
export function touchChunk(path: string, clock: Clock): boolean {
  try {
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (!status?.isFile() || status.size === 0) return false;
    utimesSync(path, clock.now() / 1000, status.mtimeMs / 1000);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw cannotWrite(path, error);
  }
}

function look(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

function writeChunk(target: ChunkTarget, path: string, blob: Uint8Array): void {
  const temporary = `${path}${temporarySuffix(target.random)}`;
  try {
    const descriptor = create(target, temporary);
    try {
      for (let at = 0; at < blob.byteLength;) at += writeSync(descriptor, blob, at);
      fchmodSync(descriptor, 0o644);
      if (target.owner) fchownSync(descriptor, target.owner.uid, target.owner.gid);
      if (target.sync === 'each') fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, path);
    if (target.sync === 'each') syncFolderOf(path);
  } catch (error) {
    removeQuietly(temporary);
    throw cannotWrite(path, error);
  }
}

function create(target: ChunkTarget, temporary: string): number {
  try {
    return openSync(temporary, 'wx', 0o644);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    createChunkFolder(target, dirname(temporary));
    return openSync(temporary, 'wx', 0o644);
  }
}

/** PBS creates all chunk folders with the datastore; one that was lost is made again. */
function createChunkFolder(target: ChunkTarget, folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o750 });
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return;
    throw error;
  }
  chmodSync(folder, 0o750);
  if (target.owner) chownSync(folder, target.owner.uid, target.owner.gid);
  if (target.sync === 'each') syncFolderOf(folder);
}

function syncFolderOf(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was never created, or was renamed already: either way there is nothing left to clean up.
  }
}
