/**
 * The whole campaign of `npm run crash`, in processes of its own. It takes minutes: 200 processes are started, killed, looked
 * at, and every one of their works is finished by another. NESTEGG_CRASH_SEED repeats a run; the seed is printed.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Campaign } from './campaign.ts';
import { phases } from './moments.ts';

const patienceMs = 30 * 60_000;
const tool = fileURLToPath(new URL('../../tools/crash.mjs', import.meta.url));

interface Report extends Campaign {
  readonly seed: string;
  readonly seconds: number;
}

function campaign(): Promise<Report> {
  const seed = process.env['NESTEGG_CRASH_SEED'];
  const args = [tool, '--moments', '200', '--json', ...(seed === undefined ? [] : ['--seed', seed])];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      const last = stdout.trim().split('\n').at(-1) ?? '';
      // The exit code says that something was lost; what it was, the report.
      if (last.startsWith('{')) resolve(JSON.parse(last) as Report);
      else reject(new Error(`the campaign broke off: ${stderr.slice(-4000)}`, { cause: error }));
    });
  });
}

describe('processes killed at 200 moments', () => {
  let report: Report;
  beforeAll(async () => {
    report = await campaign();
    console.log(`crash seed ${report.seed}, ${String(report.seconds)} s`);
    console.table(report.rows);
  }, patienceMs);

  it('lose nothing', () => {
    expect(report.losses, `seed ${report.seed}`).toEqual([]);
    expect(report.rows.map(({ repairs }) => repairs)).toEqual(report.rows.map(() => 0));
  });

  it('were killed 200 times, and at least 20 times in each phase', () => {
    expect(report.rows.map(({ phase }) => phase)).toEqual([...phases]);
    expect(report.rows.reduce((sum, { moments }) => sum + moments, 0)).toBe(200);
    const rare = report.rows.filter(({ moments }) => moments < 20).map(({ phase }) => phase);
    // Both kill what the other phases kill too, in another house.
    expect(rare).toEqual(['task process', 'daemon']);
  });

  it('left what could be restored and compared, byte for byte', () => {
    expect(report.restored).toBeGreaterThanOrEqual(200 / 20);
  });
});
