import { describe, expect, it } from 'vitest';
import { taskId } from '../../../src/core/ids.ts';
import type { WaitingReason } from '../../../src/daemon/api/contract.ts';
import { resultOf } from '../../../ui/src/model/result.ts';
import { pauseWords, reasonWords, taskTitle, triggerWords } from '../../../ui/src/model/words.ts';
import { endedOf } from '../../../ui/src/model/live-data.ts';
import { full } from '../support/fixtures.ts';

const now = 1_790_000_000_000;
const other = taskId('01j00000000000000000000001');

describe('why a task waits', () => {
  it.each<[WaitingReason, RegExp]>([
    [{ reason: 'slots', used: 2, slots: 2 }, /^waits for a free slot: 2 of 2 in use$/],
    [{ reason: 'collision', task: other, on: 'sia' }, /^waits for Backup datacenter, which is using sia$/],
    [
      { reason: 'paused', what: 'queue', by: 'admin', sinceMs: now - 120_000 },
      /^queue was paused by admin 2 minutes ago$/,
    ],
    [{ reason: 'window', opensMs: now }, /^waits for its window, which opens at \d\d:\d\d$/],
    [{ reason: 'retry', atMs: now + 120_000 }, /^is tried again in 2 minutes$/],
    [{ reason: 'behind', tasksAhead: 1 }, /^1 task ahead of it$/],
    [{ reason: 'stopping' }, /^the daemon is stopping$/],
  ])('%j', (reason, words) => {
    expect(reasonWords(reason, now, (id) => (id === other ? 'Backup datacenter' : undefined))).toMatch(words);
  });

  it('names another task when the one it collides with is not known here', () => {
    const words = reasonWords({ reason: 'collision', task: other, on: 'sia' }, now, () => undefined);
    expect(words).toBe('waits for another task, which is using sia');
  });

  it('tells who paused what', () => {
    const pause = { by: 'admin', sinceMs: now - 120_000 };
    expect(pauseWords({ ...pause, what: 'queue' }, now)).toMatch(/^The queue was paused by admin 2 minutes ago/);
    expect(pauseWords({ ...pause, what: 'backup My-Data' }, now)).toMatch(/^Backup My-Data was paused/);
  });
});

describe('tasks', () => {
  it('have titles', () => {
    expect(taskTitle({ kind: 'backup', subject: { type: 'backup', backup: 'a' } })).toBe('Backup a');
    expect(taskTitle({ kind: 'rebuild-index', subject: { type: 'repository', repository: 'r' } })).toBe(
      'Rebuild index of r',
    );
  });

  it('tell what started them', () => {
    expect(triggerWords({ kind: 'cron', detail: '0 3 * * *' })).toBe('schedule “0 3 * * *”');
    expect(triggerWords({ kind: 'retry', detail: 'T1' })).toBe('a retry');
  });
});

describe('results', () => {
  const [done, warned, failed, check] = endedOf({ tasks: full(now).tasks }).map(resultOf);

  it('name repositories only when they ended differently', () => {
    expect(done?.repositories).toEqual([]);
    expect(failed?.repositories.map(({ name, look }) => `${name} ${look.word}`)).toEqual(['nas OK', 'ovh Failed']);
  });

  it('say where what went wrong, and what to do', () => {
    expect(failed?.problems).toEqual([
      'ovh: putting packs/3f/3fa8 at s3.gra.io.cloud.ovh.net failed: connection refused. ' +
        'Check the network and the endpoint; the next run goes on where this one stopped.',
    ]);
    expect(warned?.problems.at(-1)).toBe('and 3 more warnings');
  });

  it('show figures that the kind has', () => {
    expect(done?.figures).toEqual(['6.40 GiB read', '2.40 GiB stored', '1 snapshot', '4 min 00 s']);
    expect(check?.figures).toEqual(['212 GiB read', '1 h 36 min']);
  });
});
