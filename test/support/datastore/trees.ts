/** Comparing folders the way `diff -r` does. */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { equalBytes } from '../../../src/core/bytes.ts';

/** Differences between two trees, one line each, as `diff -r` reports them; empty when names, kinds and bytes are equal. */
export async function compareTrees(a: string, b: string): Promise<string[]> {
  const [first, second] = [await listTree(a), await listTree(b)];
  const differences: string[] = [];
  for (const name of [...new Set([...first.keys(), ...second.keys()])].sort()) {
    const kinds = [first.get(name), second.get(name)];
    if (kinds[0] === undefined || kinds[1] === undefined)
      differences.push(`only in ${kinds[0] === undefined ? b : a}: ${name}`);
    else if (kinds[0] !== kinds[1]) differences.push(`${name}: ${kinds[0]} and ${kinds[1]}`);
    else if (kinds[0] === 'file' && !equalBytes(await readFile(join(a, name)), await readFile(join(b, name)))) {
      differences.push(`${name} differs`);
    }
  }
  return differences;
}

async function listTree(root: string): Promise<Map<string, 'folder' | 'file' | 'other'>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return new Map(
    entries.map((entry) => [
      relative(root, join(entry.parentPath, entry.name)),
      entry.isDirectory() ? 'folder' : entry.isFile() ? 'file' : 'other',
    ]),
  );
}
