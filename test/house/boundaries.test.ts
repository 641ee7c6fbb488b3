import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** The import table of docs/architecture.md, as edges that must pass and edges that must be caught. */
const allowed: readonly (readonly [from: string, to: string])[] = [
  ['src/core/a.ts', 'src/core/b.ts'],
  ['src/engine/crypto/a.ts', 'src/core/b.ts'],
  ['src/engine/format/a.ts', 'src/engine/crypto/b.ts'],
  ['src/engine/format/a.ts', 'src/engine/compression/b.ts'],
  ['src/engine/pbs/a.ts', 'src/engine/compression/b.ts'],
  ['src/engine/compute/a.ts', 'src/engine/pbs/b.ts'],
  ['src/engine/compute/a.ts', 'src/engine/chunking/b.ts'],
  ['src/engine/sources/a.ts', 'src/engine/pbs/b.ts'],
  ['src/engine/repository/a.ts', 'src/engine/storage/storage.ts'],
  ['src/engine/repository/a.ts', 'src/engine/compute/b.ts'],
  ['src/engine/backup/a.ts', 'src/engine/repository/b.ts'],
  ['src/engine/restore/a.ts', 'src/engine/pbs/b.ts'],
  ['src/engine/index.ts', 'src/engine/storage/b.ts'],
  ['src/engine/index.ts', 'src/engine/backup/b.ts'],
  ['src/triggers/pbs.ts', 'src/engine/pbs/b.ts'],
  ['src/tasks/queue/a.ts', 'src/tasks/task.ts'],
  ['src/tasks/kinds/a.ts', 'src/engine/index.ts'],
  ['src/tasks/process/a.ts', 'src/tasks/kinds/b.ts'],
  ['src/daemon/a.ts', 'src/triggers/b.ts'],
  ['src/daemon/a.ts', 'src/tasks/queue/b.ts'],
  ['src/daemon/a.ts', 'src/engine/index.ts'],
  ['src/cli/a.ts', 'src/daemon/config/b.ts'],
  ['src/cli/a.ts', 'src/daemon/main.ts'],
  ['src/cli/a.ts', 'src/daemon/api/contract.ts'],
  ['test/a.ts', 'src/engine/pbs/b.ts'],
];

const forbidden: readonly (readonly [from: string, to: string, rule: string])[] = [
  ['src/core/bad.ts', 'src/engine/crypto/b.ts', 'core'],
  ['src/engine/crypto/bad.ts', 'src/engine/compression/b.ts', 'engine-crypto'],
  ['src/engine/chunking/bad.ts', 'src/engine/crypto/b.ts', 'engine-chunking'],
  ['src/engine/compression/bad.ts', 'src/engine/crypto/b.ts', 'engine-compression'],
  ['src/engine/storage/bad.ts', 'src/engine/format/b.ts', 'engine-storage'],
  ['src/engine/format/bad.ts', 'src/engine/pbs/b.ts', 'engine-format'],
  ['src/engine/pbs/bad.ts', 'src/engine/crypto/b.ts', 'engine-pbs'],
  ['src/engine/compute/bad.ts', 'src/engine/repository/b.ts', 'engine-compute'],
  ['src/engine/sources/bad.ts', 'src/engine/format/b.ts', 'engine-sources'],
  ['src/engine/repository/bad.ts', 'src/engine/storage/b.ts', 'engine-repository'],
  ['src/engine/repository/bad.ts', 'src/engine/pbs/b.ts', 'engine-repository'],
  ['src/engine/backup/bad.ts', 'src/engine/restore/b.ts', 'engine-backup'],
  ['src/engine/restore/bad.ts', 'src/engine/backup/b.ts', 'engine-restore'],
  ['src/engine/browse/bad.ts', 'src/engine/maintenance/b.ts', 'engine-browse'],
  ['src/engine/maintenance/bad.ts', 'src/engine/storage/storage.ts', 'engine-maintenance'],
  ['src/engine/backup/bad2.ts', 'src/engine/index.ts', 'engine-backup'],
  ['src/engine/index.ts', 'src/tasks/task.ts', 'engine-facade'],
  ['src/triggers/cron.ts', 'src/engine/pbs/b.ts', 'triggers'],
  ['src/triggers/pbs-bad.ts', 'src/tasks/task.ts', 'triggers-pbs'],
  ['src/tasks/task.ts', 'src/tasks/kinds/b.ts', 'tasks-words'],
  ['src/tasks/queue/bad.ts', 'src/engine/index.ts', 'tasks-queue'],
  ['src/tasks/hooks/bad.ts', 'src/tasks/queue/b.ts', 'tasks-hooks'],
  ['src/tasks/kinds/bad.ts', 'src/engine/backup/b.ts', 'tasks-kinds'],
  ['src/tasks/process/bad.ts', 'src/engine/index.ts', 'tasks-process'],
  ['src/daemon/bad.ts', 'src/engine/repository/b.ts', 'daemon'],
  ['src/daemon/bad.ts', 'src/cli/b.ts', 'daemon'],
  ['src/cli/bad.ts', 'src/daemon/b.ts', 'cli'],
  ['src/cli/bad.ts', 'src/tasks/queue/b.ts', 'cli'],
  ['src/new/bad.ts', 'src/core/b.ts', 'folder-without-a-row'],
  ['src/daemon/bad2.ts', 'test/b.ts', 'production-imports-tests'],
  ['ui/src/bad.ts', 'src/core/b.ts', 'ui-knows-only-the-contract'],
  ['ui/src/bad.ts', 'src/daemon/api/contract.ts', 'ui-imports-types-only'],
];

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

/** `execFile` without its rejection: the exit code of the cruiser is the number of errors. */
function cruise(cwd: string): Promise<readonly Violation[]> {
  const program = resolve('node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src', 'test', 'ui'];
  return new Promise((done, fail) => {
    execFile(process.execPath, [program, ...args], { cwd, maxBuffer: 2 ** 26 }, (_error, stdout, stderr) => {
      try {
        done((JSON.parse(stdout) as { readonly summary: { readonly violations: Violation[] } }).summary.violations);
      } catch {
        fail(new Error(stderr));
      }
    });
  });
}

const upTo = (from: string) => '../'.repeat(from.split('/').length - 1);

describe('the import table', () => {
  let root: string;
  let found: readonly string[];

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'nestegg-boundaries-'));
    const lines = new Map<string, string[]>();
    for (const [from, to] of [...allowed, ...forbidden]) {
      lines.set(to, lines.get(to) ?? []);
      lines.set(from, [...(lines.get(from) ?? []), `import '${upTo(from)}${to}';`]);
    }
    lines.set('ui/src/good.ts', [`import type { A } from '../../src/daemon/api/contract.ts';`, 'export type B = A;']);
    lines.set('src/core/round.ts', [`import './trip.ts';`]);
    lines.set('src/core/trip.ts', [`import './round.ts';`]);
    lines.set('src/engine/storage/bad-package.ts', [`import 'ajv';`]);
    lines.set('src/engine/storage/bad-tool.ts', [`import 'eslint';`]);
    lines.set('ui/src/Bad.svelte', ['<script lang="ts">', `import '../../src/core/b.ts';`, '</script>']);
    for (const [path, imports] of lines) {
      await mkdir(join(root, dirname(path)), { recursive: true });
      const rest = path.endsWith('.ts') ? ['export type A = string;', ''] : [''];
      await writeFile(join(root, path), [...imports, ...rest].join('\n'));
    }
    for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) {
      await cp(file, join(root, file));
    }
    await symlink(resolve('node_modules'), join(root, 'node_modules'));
    found = (await cruise(root)).map(({ from, to, rule }) => `${rule.name}: ${from} -> ${to}`);
  });

  afterAll(() => rm(root, { recursive: true, force: true }));

  it.each(forbidden)('refuses %s -> %s', (from, to, rule) => {
    expect(found).toContain(`${rule}: ${from} -> ${to}`);
  });

  it.each(allowed)('lets %s -> %s pass', (from, to) => {
    expect(found.filter((line) => line.endsWith(`: ${from} -> ${to}`))).toEqual([]);
  });

  it('lets the UI import types of the contract', () => {
    expect(found.filter((line) => line.includes('ui/src/good.ts'))).toEqual([]);
  });

  it('looks into Svelte components too', () => {
    expect(found).toContain('ui-knows-only-the-contract: ui/src/Bad.svelte -> src/core/b.ts');
  });

  it('refuses cycles', () => {
    expect(found).toContain('no-cycles: src/core/round.ts -> src/core/trip.ts');
  });

  it('refuses packages that package.json does not declare, and development packages in src', () => {
    expect(found).toContainEqual(expect.stringMatching(/^undeclared-package: src\/engine\/storage\/bad-package.ts/));
    expect(found).toContainEqual(
      expect.stringMatching(/^development-package-in-production: src\/engine\/storage\/bad-tool.ts/),
    );
  });
});
