import { describe, expect, it } from 'vitest';
import type { RunningTaskView, TaskProgress } from '../../../src/daemon/api/contract.ts';
import { progressOf } from '../../../ui/src/model/progress.ts';
import { runningTask } from '../support/fixtures.ts';

const now = 1_790_000_000_000;
const { progress: known, ...starting } = runningTask(now);

function running(changes: Partial<TaskProgress>, without: readonly (keyof TaskProgress)[] = []): RunningTaskView {
  const progress = Object.fromEntries(
    Object.entries({ ...known, ...changes }).filter(([key]) => !without.includes(key as keyof TaskProgress)),
  );
  return { ...starting, progress: progress as unknown as TaskProgress };
}

const figure = (task: RunningTaskView, name: string) =>
  progressOf(task, now).figures.find((one) => one.name === name)?.value;

describe('progress', () => {
  it('before the first report invents nothing', () => {
    expect(progressOf(starting, now)).toMatchObject({ phase: 'Starting', fraction: undefined, item: undefined });
    expect(figure(starting, 'Elapsed')).toBe('6 min 00 s');
  });

  it('with a total has a percentage, rounded down', () => {
    const view = progressOf(running({ doneBytes: 9_999, totalBytes: 10_000 }), now);
    expect(view.short).toBe('99 %');
    expect(view.text).toBe('99 %, 9.76 of 9.77 KiB');
  });

  it('without totals counts what was done and shows no percentage', () => {
    const view = progressOf(running({ doneBytes: 2 ** 30 }, ['totalBytes', 'totalItems']), now);
    expect(view).toMatchObject({ fraction: undefined, short: '1.00 GiB', text: '1.00 GiB so far, total unknown' });
  });

  it('falls back to items when only they have a total', () => {
    expect(progressOf(running({ doneItems: 1, totalItems: 4 }, ['totalBytes']), now).fraction).toBe(0.25);
  });

  it('never passes the end, and a total of zero is none', () => {
    expect(progressOf(running({ doneBytes: 20, totalBytes: 10 }), now).fraction).toBe(1);
    expect(progressOf(running({ doneBytes: 0, totalBytes: 0 }, ['totalItems']), now).fraction).toBeUndefined();
  });

  it('says how long it still takes only when that can be trusted', () => {
    const half = { doneBytes: 2 ** 30, totalBytes: 2 ** 31, bytesPerSecond: 2 ** 20 };
    expect(figure(running(half), 'Left')).toBe('about 17 min 04 s');
    expect(figure(running({ ...half, bytesPerSecond: 0 }), 'Left')).toBeUndefined();
    expect(figure(running(half, ['totalBytes']), 'Left')).toBeUndefined();
    expect(figure({ ...running(half), startedMs: now - 10_000 }, 'Left')).toBeUndefined();
  });
});
