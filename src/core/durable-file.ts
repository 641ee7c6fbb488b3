import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { toHex } from './bytes.ts';
import { systemCode } from './errors.ts';
import type { Random } from './random.ts';

/**
 * Replaces a small local file so that after a crash either the old or the new content is there: temporary file, fsync,
 * rename, fsync of the folder. A failed fsync is final for that attempt. Mode 0600; missing folders are made 0700.
 */
export async function writeDurably(path: string, content: Uint8Array | string, random: Random): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.${toHex(random.bytes(8))}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The content, or `undefined` when there is no such file. */
export async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
