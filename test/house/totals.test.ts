import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';

const steps = pathToFileURL('tools/test/steps.mjs').href;

/** What `npm test` says and answers at the end, when it does `work`. */
async function outcome(work: string, ci = ''): Promise<{ readonly last: string | undefined; readonly code: unknown }> {
  const script = `import { Totals, run } from '${steps}'; const totals = new Totals(); ${work}; totals.report();`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, CI: ci },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return { last: output.trimEnd().split('\n').at(-1), code };
}

const says = (line: string, code = 0) =>
  `run(process.execPath, ['-e', ${JSON.stringify(`console.log('${line}'); process.exitCode = ${String(code)}`)}])`;

describe('the last line of npm test', () => {
  it.each<[string, string, string, number]>([
    [
      'sums suites and steps',
      `await totals.suites('a', () => ${says('3 passed, 0 failed, 2 skipped')}); await totals.step('b', () => 1)`,
      '5 passed, 0 failed, 2 skipped',
      0,
    ],
    [
      'counts failed tests, not their suite too',
      `await totals.suites('a', () => ${says('3 passed, 2 failed, 0 skipped', 1)})`,
      '3 passed, 2 failed, 0 skipped',
      1,
    ],
    [
      'counts a suite that dies without a word',
      `await totals.suites('a', () => ${says('', 1)})`,
      '0 passed, 1 failed, 0 skipped',
      1,
    ],
    [
      'counts a suite that ends well without a word as failed',
      `await totals.suites('a', () => ${says('')})`,
      '1 passed, 1 failed, 0 skipped',
      1,
    ],
    [
      'counts a suite that fails although all its tests passed',
      `await totals.suites('a', () => ${says('3 passed, 0 failed, 0 skipped', 1)})`,
      '3 passed, 1 failed, 0 skipped',
      1,
    ],
    [
      'counts a failed step',
      `await totals.step('a', () => Promise.reject(new Error('no')))`,
      '0 passed, 1 failed, 0 skipped',
      1,
    ],
    [
      'counts output that is refused',
      `await totals.step('a', () => run('echo', ['npm warn EBADENGINE'], { refuse: /EBADENGINE/ }))`,
      '0 passed, 1 failed, 0 skipped',
      1,
    ],
    ['counts what is skipped', `totals.skip('a component')`, '0 passed, 0 failed, 1 skipped', 0],
  ])('%s', async (_name, work, last, code) => {
    expect(await outcome(work)).toEqual({ last, code });
  });

  it('lets nothing be skipped in continuous integration', async () => {
    expect(await outcome(`totals.skip('a component')`, 'true')).toEqual({
      last: '0 passed, 1 failed, 0 skipped',
      code: 1,
    });
  });
});
