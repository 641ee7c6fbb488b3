/** Temporary chunk files of runs that were killed: garbage collection of PBS never removes those, so we do. */
import { lstat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../../core/errors.ts';
import { chunkFolder } from '../layout.ts';
import { readFolder } from '../source-files.ts';
import { cannotWrite, isOurTemporary } from './new-file.ts';

/**
 * Removes our temporary chunk files last written before `beforeMs`. Looks into every chunk folder: for maintenance, not
 * for every restore. `beforeMs` must lie further back than any running restore could have begun to write one file.
 * @returns how many were removed. @throws SourceError, NesteggError (`restore.target`).
 */
export async function removeLeftovers(datastore: string, beforeMs: number, signal?: AbortSignal): Promise<number> {
  let removed = 0;
  for (const folder of (await readFolder(join(datastore, chunkFolder))) ?? []) {
    signal?.throwIfAborted();
    if (!folder.isDirectory() || !/^[0-9a-f]{4}$/.test(folder.name)) continue;
    const path = join(datastore, chunkFolder, folder.name);
    for (const file of (await readFolder(path)) ?? []) {
      if (!/^[0-9a-f]{64}\.tmp_/.test(file.name) || !isOurTemporary(file.name)) continue;
      if (await removeOld(join(path, file.name), beforeMs)) removed += 1;
    }
  }
  return removed;
}

async function removeOld(path: string, beforeMs: number): Promise<boolean> {
  try {
    const status = await lstat(path);
    if (!status.isFile() || status.mtimeMs >= beforeMs) return false;
    await unlink(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw cannotWrite(path, error);
  }
}
