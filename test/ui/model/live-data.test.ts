import { describe, expect, it } from 'vitest';
import type { EndedTaskView, LiveEvent, TaskView } from '../../../src/daemon/api/contract.ts';
import { applyEvent, endedOf, reloads, shownResults, type LiveData } from '../../../ui/src/model/live-data.ts';
import { full } from '../support/fixtures.ts';

const now = 1_790_000_000_000;
const picture = full(now);
const data: LiveData = { status: picture.status, queue: picture.queue, recent: endedOf({ tasks: picture.tasks }) };
const [running] = picture.queue.running;
const [queued] = picture.queue.waiting;
const [ended] = data.recent;

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the fixture lacks it');
  return value;
}

const after = (task: TaskView) => applyEvent(data, { type: 'task', task });
const ids = (tasks: readonly { readonly id: string }[]) => tasks.map(({ id }) => id);

describe('a live event', () => {
  it('moves a task that starts from the queue to the running ones', () => {
    const { waiting: _, ...task } = given(queued);
    const next = after({ ...task, state: 'running', startedMs: now });
    expect(ids(next.queue.running)).toEqual(['T1', 'W1']);
    expect(ids(next.queue.waiting)).toEqual(['W2']);
    expect(ids(next.status.running)).toEqual(['T1', 'W1']);
  });

  it('moves a task that ends to the results, newest first and no more than are shown', () => {
    const task: EndedTaskView = { ...given(ended), id: 'T1', endedMs: now };
    const next = after(task);
    expect(ids(next.queue.running)).toEqual([]);
    expect(ids(next.recent)).toEqual(['T1', ...ids(data.recent)]);
    let many = data;
    for (let n = 0; n < 2 * shownResults; n++) {
      many = applyEvent(many, { type: 'task', task: { ...task, id: `M${String(n)}` } });
    }
    expect(many.recent).toHaveLength(shownResults);
  });

  it('keeps the known progress of a task that is only being stopped', () => {
    const { progress, ...task } = given(running);
    expect(after({ ...task, state: 'aborting' }).queue.running).toEqual([{ ...task, state: 'aborting', progress }]);
  });

  it('updates progress in place, and ignores that of a task it does not know', () => {
    const progress = { ...given(given(running).progress), doneBytes: 1 };
    expect(applyEvent(data, { type: 'progress', id: 'T1', progress }).queue.running[0]?.progress).toBe(progress);
    expect(applyEvent(data, { type: 'progress', id: 'T9', progress }).queue.running).toEqual(data.queue.running);
  });

  it.each<[LiveEvent, boolean]>([
    [{ type: 'hello', nowMs: now, version: '1' }, false],
    [{ type: 'reset' }, true],
    [{ type: 'status' }, true],
    [{ type: 'warning', id: 'T1', problem: { code: 'x', message: 'y' } }, false],
    [{ type: 'task', task: given(queued) }, true],
  ])('%j loads anew: %s', (event, expected) => {
    expect(reloads(event)).toBe(expected);
  });

  it('changes nothing that was given', () => {
    expect(data).toEqual({ status: picture.status, queue: picture.queue, recent: endedOf({ tasks: full(now).tasks }) });
  });
});
