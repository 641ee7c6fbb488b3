/**
 * `npm ci --omit=optional` in a copy of the tree, with compilers that always fail: the WASM and JavaScript second
 * implementations must install and give the same bytes without any native accelerator.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { run } from './steps.mjs';

const suites = ['crypto', 'compression', 'compute', 'repository']
  .map((name) => `test/engine/${name}`)
  .concat('test/golden');
const notCopied = new Set(['node_modules', 'dist', '.git', 'coverage', '.nestegg-demo']);

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

function copyTree(to) {
  const from = resolve('.');
  cpSync(from, to, { recursive: true, filter: (path) => !notCopied.has(relative(from, path)) });
}

/** The compilers of vite and tsx come as optional packages too; they are tools of the tests, not part of the product. */
function lendTools(to) {
  for (const [path, entry] of Object.entries(readJson('package-lock.json').packages)) {
    if (entry.dev && entry.optional && existsSync(path) && !existsSync(join(to, path))) {
      cpSync(path, join(to, path), { recursive: true });
    }
  }
}

function assertAbsent(copy) {
  for (const name of Object.keys(readJson('package.json').optionalDependencies)) {
    const path = join(copy, 'node_modules', name);
    if (existsSync(path)) throw new Error(`${name} is installed although optional packages were left out`);
  }
}

export async function testFallbacks(totals) {
  const copy = mkdtempSync(join(tmpdir(), 'nestegg-fallbacks-'));
  try {
    copyTree(copy);
    const noCompiler = { ...process.env, CC: '/bin/false', CXX: '/bin/false', MAKE: '/bin/false' };
    const install = ['ci', '--omit=optional'];
    const ok = await totals.step('install without optional packages and without a compiler', async () => {
      await run('npm', install, { cwd: copy, env: noCompiler, refuse: /EBADENGINE/ });
      assertAbsent(copy);
      lendTools(copy);
    });
    if (!ok) return;
    // Comparisons with the native implementations skip themselves here, and may.
    const env = { ...process.env, CI: '', NESTEGG_NATIVES: 'absent' };
    const present = suites.filter((suite) => existsSync(suite));
    await totals.suites('suites without native accelerators', () =>
      run('npx', ['vitest', 'run', ...present], { cwd: copy, env }),
    );
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
