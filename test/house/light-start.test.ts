import { existsSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');

/** Every module that is loaded with this one: imports that stay at run time, not those that a function does later. */
function loadedWith(entry: string): readonly string[] {
  const found = new Set<string>();
  const open = [resolve(root, entry)];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (found.has(path)) continue;
    found.add(path);
    const imports = readFileSync(path, 'utf8').matchAll(/^(?:import|export) (?!type\b)[^;]*?'(\.[^']+)';$/gm);
    for (const [, name = ''] of imports) open.push(resolve(dirname(path), name));
  }
  return [...found].map((path) => relative(root, path)).sort();
}

describe('what is loaded at the start', () => {
  it('finds modules that exist', () => {
    const modules = loadedWith('src/cli/main.ts');
    expect(modules).toContain('src/cli/commands/daemon.ts');
    expect(modules.filter((path) => !existsSync(resolve(root, path)))).toEqual([]);
  });

  it.each(['src/daemon/main.ts', 'src/cli/main.ts'])('%s goes without the engine', (entry) => {
    expect(loadedWith(entry).filter((path) => path.startsWith('src/engine/'))).toEqual([]);
  });

  it('the command line goes without the daemon’s server', () => {
    const modules = loadedWith('src/cli/main.ts');
    expect(modules.filter((path) => /^src\/daemon\/(wiring|api\/server|state\/)/.test(path))).toEqual([]);
  });
});
