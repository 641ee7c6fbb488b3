import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { KnipConfig } from 'knip';

/** Modules started by name as worker thread or child process: no import leads to them. */
function startedModules(): string[] {
  const started: string[] = [];
  for (const entry of readdirSync('src', { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    const file = join(entry.parentPath, entry.name);
    const calls = readFileSync(file, 'utf8').matchAll(
      /(?:startWorker\(\s*|forkProcess\(\s*|caller: )import\.meta\.url,\s*(?:module: )?'(\.[^']+)'/g,
    );
    for (const [, module = ''] of calls) started.push(join(dirname(file), `${module}.ts`));
  }
  return started;
}

const config: KnipConfig = {
  entry: [
    'src/cli/main.ts!',
    'src/core/entry-dev.mjs',
    ...startedModules(),
    'test/**/*.test.ts',
    'test/**/*.fixture.ts',
    'test/**/main.ts',
    'bench/**/main.ts',
    'tools/*.{mjs,ts}',
    'ui/src/main.ts',
    'ui/vite.config.ts',
  ],
  project: ['src/**/*.{ts,mjs}', 'test/**/*.ts', 'bench/**/*.ts', 'tools/**/*.{mjs,ts}', 'ui/**/*.{ts,svelte}'],
  // A type that an exported signature names is part of that signature.
  ignoreExportsUsedInFile: true,
  // Programs of the system that tests and measurements use.
  ignoreBinaries: ['apt-get', 'diff', 'flock', 'perl', 'restic'],
};

export default config;
