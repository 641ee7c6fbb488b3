/**
 * `npm test`: everything, on a machine that has Node and npm and nothing else. Installs when that is needed, builds, checks,
 * runs all suites, and runs the suites of everything that has a native accelerator again in a copy that has none of them.
 *
 * The last line is `N passed, N failed, N skipped`: the tests of all suites plus one for each step. With CI=true a component
 * that cannot be installed is a failure, otherwise a loud SKIPPED line.
 */
import { existsSync, statSync } from 'node:fs';
import { installComponents } from './test/components.mjs';
import { testFallbacks } from './test/fallbacks.mjs';
import { Totals, run } from './test/steps.mjs';

const totals = new Totals();

function installed() {
  const record = 'node_modules/.package-lock.json';
  return existsSync(record) && statSync(record).mtimeMs >= statSync('package-lock.json').mtimeMs;
}

async function main() {
  if (!installed() && !(await totals.step('install', () => run('npm', ['ci'], { refuse: /EBADENGINE/ })))) return;
  await installComponents(totals);
  await totals.step('build', () => run('npm', ['run', 'build']));
  await totals.step('check', () => run('npm', ['run', 'check']));
  await totals.suites('suites', () => run('npx', ['vitest', 'run']));
  await testFallbacks(totals);
}

await main();
totals.report();
