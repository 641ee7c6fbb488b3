/** Damage as disks, crashes and people do it, to files of a made-up datastore. */
import { readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export type Damage = 'flip' | 'truncate' | 'empty' | 'remove' | 'set-aside';

/** Damages one file. `flip` inverts a bit in its middle, `set-aside` renames it as PBS does with a corrupt chunk. */
export async function damageFile(path: string, damage: Damage): Promise<void> {
  switch (damage) {
    case 'flip': {
      const bytes = await readFile(path);
      const middle = bytes.length >> 1;
      bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
      return writeFile(path, bytes);
    }
    case 'truncate': {
      const { length } = await readFile(path);
      return truncate(path, length >> 1);
    }
    case 'empty':
      return truncate(path, 0);
    case 'remove':
      return rm(path);
    case 'set-aside':
      return rename(path, `${path}.0.bad`);
  }
}

/** Paths of all chunk files, sorted by name. */
export async function chunkFiles(datastore: string): Promise<string[]> {
  const files: string[] = [];
  for (const folder of (await readdir(join(datastore, '.chunks'))).sort()) {
    for (const name of (await readdir(join(datastore, '.chunks', folder))).sort()) {
      if (/^[0-9a-f]{64}$/.test(name)) files.push(join(datastore, '.chunks', folder, name));
    }
  }
  return files;
}
