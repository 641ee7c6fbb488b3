/** Comparing two datastores: names, kinds, bytes, modes and owners. */
import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { compareTrees } from '../../test/support/datastore/trees.ts';

export interface Comparison {
  readonly files: number;
  readonly bytes: number;
  /** One line each; empty when they are equal. */
  readonly differences: readonly string[];
}

export async function compareDatastores(original: string, restored: string): Promise<Comparison> {
  const differences = await compareTrees(original, restored);
  let files = 0;
  let bytes = 0;
  for (const { name, entry } of walk(original)) {
    if (entry.isFile()) {
      files += 1;
      bytes += entry.size;
    }
    const other = lstatSync(join(restored, name), { throwIfNoEntry: false });
    if (other === undefined) continue;
    if (other.mode !== entry.mode) differences.push(`${name}: mode ${octal(entry.mode)} and ${octal(other.mode)}`);
    if (other.uid !== entry.uid || other.gid !== entry.gid) differences.push(`${name}: another owner`);
  }
  return { files, bytes, differences };
}

/** Bytes of all files below a folder. */
export function bytesBelow(folder: string): number {
  let bytes = 0;
  for (const { entry } of walk(folder)) if (entry.isFile()) bytes += entry.size;
  return bytes;
}

export function filesBelow(folder: string): number {
  let files = 0;
  for (const { entry } of walk(folder)) if (entry.isFile()) files += 1;
  return files;
}

/** Not with promises: nothing else runs meanwhile. */
function* walk(root: string, below = '.'): Generator<{ readonly name: string; readonly entry: Stats }> {
  for (const child of readdirSync(join(root, below))) {
    const name = join(below, child);
    // What a running program has just removed is no longer there.
    const entry = lstatSync(join(root, name), { throwIfNoEntry: false });
    if (entry === undefined) continue;
    yield { name, entry };
    if (entry.isDirectory()) yield* walk(root, name);
  }
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8);
}
