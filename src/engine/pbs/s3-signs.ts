/**
 * Telling the local cache of an S3-backed datastore from a datastore: in the cache, chunk files are empty markers as
 * soon as the chunk was evicted, and garbage collection leaves `<digest>.using` files. One empty chunk alone is no sign,
 * because a crash leaves such a file in an ordinary datastore too.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { chunkFolder } from './layout.ts';
import { readFolder } from './source-files.ts';

/** 256 of the 65,536 chunk folders, spread over all of them. */
const stride = 257;
const enoughChunks = 128;
const enoughEmpty = 8;

/** What gives the datastore at `path` away as S3-backed, in words; undefined when nothing does. */
export async function findS3Signs(path: string): Promise<string | undefined> {
  let chunks = 0;
  let empty = 0;
  for (let folder = 0; folder < 65_536 && chunks < enoughChunks; folder += stride) {
    const name = folder.toString(16).padStart(4, '0');
    for (const entry of (await readFolder(join(path, chunkFolder, name))) ?? []) {
      if (/^[0-9a-f]{64}\.using$/.test(entry.name)) return `there is a marker ${chunkFolder}/${name}/${entry.name}`;
      if (!/^[0-9a-f]{64}$/.test(entry.name)) continue;
      const status = await stat(join(path, chunkFolder, name, entry.name)).catch(() => undefined);
      if (status === undefined) continue;
      chunks += 1;
      if (status.size === 0) empty += 1;
    }
  }
  const mostly = empty >= enoughEmpty && empty * 2 >= chunks;
  return mostly ? `${String(empty)} of ${String(chunks)} chunk files looked at are empty markers` : undefined;
}
