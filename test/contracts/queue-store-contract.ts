/** What every `QueueStore` keeps, whatever holds it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { taskId, type TaskId } from '../../src/core/ids.ts';
import { emptyResult } from '../../src/tasks/empty-result.ts';
import { compareOrder } from '../../src/tasks/queue/order.ts';
import type { NewTask, QueueStore, Waiting } from '../../src/tasks/queue/store.ts';
import type { Priority, TaskRequest } from '../../src/tasks/task.ts';

export interface OpenedStore {
  readonly store: QueueStore;
  close(): Promise<void>;
}

export function id(n: number): TaskId {
  return taskId(`task${String(n).padStart(16, '0')}`);
}

export function request(backup: string, more: Partial<TaskRequest> = {}): TaskRequest {
  return {
    kind: 'backup',
    subject: { type: 'backup', backup },
    repositories: ['nas'],
    priority: 0,
    trigger: { kind: 'cli' },
    options: {},
    retries: 0,
    ...more,
  };
}

export function newTask(n: number, backup = `b${n}`, more: Partial<TaskRequest> = {}): NewTask {
  return { id: id(n), request: request(backup, more), createdMs: 1000 + n, attempt: 1, interruptions: 0 };
}

export function queueStoreContract(open: () => Promise<OpenedStore>): void {
  describe('queue store contract', () => {
    let opened: OpenedStore;
    let store: QueueStore;
    beforeEach(async () => {
      opened = await open();
      store = opened.store;
    });
    afterEach(() => opened.close());

    const order = async (): Promise<TaskId[]> => inOrder((await store.live()).waiting);
    const done = { endedMs: 9000, result: emptyResult('done', ['nas']) };

    it('keeps a new task and gives it back unchanged', async () => {
      const task = {
        ...newTask(1, 'db', { priority: 'next', options: { full: true, n: [1, { z: null }] }, retries: 2 }),
        notBeforeMs: 77,
        attempt: 3,
      };
      const enqueued = await store.enqueue(task);
      const expected = {
        ...{ id: id(1), request: task.request, attempt: 3, createdMs: 1001, merged: 0, state: 'queued' },
        notBeforeMs: 77,
      };
      expect(enqueued).toEqual({ outcome: 'queued', waiting: { task: expected, position: 1 } });
      expect(await store.get(id(1))).toEqual(expected);
      expect((await store.live()).waiting).toEqual([{ task: expected, position: 1 }]);
    });

    it('merges equal waiting tasks and raises the priority, never lowers it', async () => {
      await store.enqueue(newTask(1, 'db', { priority: 3, repositories: ['a', 'b'], options: { x: 1, y: 2 } }));
      const second = await store.enqueue(
        newTask(2, 'db', { priority: 'superior', repositories: ['b', 'a'], options: { y: 2, x: 1 }, retries: 4 }),
      );
      const third = await store.enqueue(
        newTask(3, 'db', { priority: 'on-idle', repositories: ['a', 'b'], options: { x: 1, y: 2 } }),
      );
      expect(second).toMatchObject({ outcome: 'merged', waiting: { task: { id: id(1), merged: 1 } } });
      expect(third).toMatchObject({
        outcome: 'merged',
        waiting: { task: { merged: 2, request: { priority: 'superior', retries: 4, repositories: ['a', 'b'] } } },
      });
      expect(await store.get(id(2))).toBeUndefined();
    });

    it('does not merge with other options, kinds, repositories, or with a running task', async () => {
      await store.enqueue(newTask(1, 'db'));
      for (const [n, more] of [
        [2, { options: { full: true } }],
        [3, { kind: 'prune' }],
        [4, { repositories: ['nas', 's3'] }],
      ] as const) {
        expect((await store.enqueue(newTask(n, 'db', more))).outcome).toBe('queued');
      }
      await store.start(id(1), 2000, 'boot');
      expect((await store.enqueue(newTask(5, 'db'))).outcome).toBe('queued');
    });

    it('lets a merge end the waiting time of a retry', async () => {
      await store.enqueue({ ...newTask(1, 'db'), notBeforeMs: 5000, attempt: 3 });
      await store.enqueue(newTask(2, 'db'));
      const task = await store.get(id(1));
      expect(task).toMatchObject({ attempt: 1, merged: 1 });
      expect(task).not.toHaveProperty('notBeforeMs');
    });

    it('takes one fire key once, also after its task merged, ended, or was forgotten', async () => {
      await store.enqueue(newTask(1, 'db'));
      expect(await store.enqueue({ ...newTask(2, 'db'), fireKey: 'k' })).toMatchObject({ outcome: 'merged' });
      expect(await store.enqueue({ ...newTask(3, 'db'), fireKey: 'k' })).toEqual({ outcome: 'duplicate', task: id(1) });
      await store.end(id(1), done);
      expect(await store.enqueue({ ...newTask(4, 'db'), fireKey: 'k' })).toEqual({ outcome: 'duplicate', task: id(1) });
      expect(await store.forget({ endedBeforeMs: 10_000, firedBeforeMs: 0, limit: 10 })).toBe(1);
      expect(await store.enqueue({ ...newTask(5, 'db'), fireKey: 'k' })).toEqual({ outcome: 'duplicate', task: id(1) });
      await store.forget({ endedBeforeMs: 0, firedBeforeMs: 10_000, limit: 10 });
      expect(await store.enqueue({ ...newTask(6, 'db'), fireKey: 'k' })).toMatchObject({ outcome: 'queued' });
    });

    it('runs, aborts and ends a task, and keeps it in the history', async () => {
      await store.enqueue({ ...newTask(1), notBeforeMs: 5 });
      expect(await store.start(id(1), 2000, 'boot')).toMatchObject({ state: 'running', startedMs: 2000 });
      expect((await store.live()).running).toHaveLength(1);
      expect(await store.abort(id(1))).toMatchObject({ state: 'aborting', startedMs: 2000 });
      const result = emptyResult('cancelled', ['nas'], { code: 'cancelled', message: 'stopped' }, 12);
      const { task } = await store.end(id(1), { endedMs: 3000, result });
      expect(task).toEqual({
        ...{ id: id(1), request: request('b1'), attempt: 1, createdMs: 1001, merged: 0 },
        ...{ state: 'cancelled', startedMs: 2000, endedMs: 3000, result },
      });
      expect(await store.live()).toEqual({ waiting: [], running: [], pauses: [] });
      expect(await store.history({ limit: 5 })).toEqual([task]);
    });

    it('ends a task that never started without a start time', async () => {
      await store.enqueue(newTask(1));
      expect((await store.end(id(1), done)).task).not.toHaveProperty('startedMs');
    });

    it('queues the repetition in the same step, and merges it', async () => {
      await store.enqueue(newTask(1));
      await store.start(id(1), 2000, 'boot');
      const first = await store.end(id(1), { ...done, repeat: { ...newTask(2, 'b1'), attempt: 2, notBeforeMs: 9 } });
      expect(first.repeat).toMatchObject({ outcome: 'queued', waiting: { task: { attempt: 2, notBeforeMs: 9 } } });
      await store.enqueue(newTask(3, 'other'));
      await store.start(id(3), 2000, 'boot');
      const second = await store.end(id(3), { ...done, repeat: newTask(4, 'b1') });
      expect(second.repeat).toMatchObject({ outcome: 'merged', waiting: { task: { id: id(2) } } });
    });

    it('refuses what does not fit the state, and changes nothing', async () => {
      await store.enqueue(newTask(1));
      await expect(store.abort(id(1))).rejects.toMatchObject({ code: 'usage' });
      await store.start(id(1), 2000, 'boot');
      await expect(store.start(id(1), 2001, 'boot')).rejects.toMatchObject({ code: 'usage' });
      await expect(store.setPriority(id(1), 'next')).rejects.toMatchObject({ code: 'usage' });
      await expect(store.move(id(1), 'first')).rejects.toMatchObject({ code: 'usage' });
      await store.end(id(1), done);
      await expect(store.end(id(1), { ...done, repeat: newTask(2) })).rejects.toMatchObject({ code: 'usage' });
      await expect(store.start(id(9), 1, 'boot')).rejects.toMatchObject({ code: 'not-found' });
      await expect(store.history({ limit: 1, before: id(9) })).rejects.toMatchObject({ code: 'not-found' });
      expect((await store.live()).waiting).toEqual([]);
    });

    it('tells which tasks another boot left running', async () => {
      for (const n of [1, 2, 3, 4]) await store.enqueue({ ...newTask(n), interruptions: n });
      await store.start(id(2), 20, 'old');
      await store.start(id(1), 30, 'old');
      await store.abort(id(1));
      await store.start(id(3), 40, 'new');
      const left = await store.interrupted('new');
      expect(left.map(({ task, interruptions }) => [task.id, task.state, interruptions])).toEqual([
        [id(2), 'running', 2],
        [id(1), 'aborting', 1],
      ]);
    });

    it('moves tasks within and between priorities', async () => {
      for (const n of [1, 2, 3]) await store.enqueue(newTask(n));
      await store.enqueue(newTask(4, 'b4', { priority: 'superior' }));
      await store.enqueue(newTask(5, 'b5', { priority: 'superior' }));
      expect(await order()).toEqual([4, 5, 1, 2, 3].map(id));
      await store.move(id(3), 'first');
      expect(await order()).toEqual([4, 5, 3, 1, 2].map(id));
      await store.move(id(2), { before: id(5) });
      expect(await order()).toEqual([4, 2, 5, 3, 1].map(id));
      expect(await store.get(id(2))).toMatchObject({ request: { priority: 'superior' } });
      await store.move(id(4), { after: id(3) });
      expect(await order()).toEqual([2, 5, 3, 4, 1].map(id));
      await store.move(id(3), 'last');
      expect(await order()).toEqual([2, 5, 4, 1, 3].map(id));
      await store.move(id(5), { after: id(5) });
      expect(await order()).toEqual([2, 5, 4, 1, 3].map(id));
      await expect(store.move(id(5), { before: id(9) })).rejects.toMatchObject({ code: 'not-found' });
    });

    it('never runs out of room between two tasks', async () => {
      for (const n of [1, 2, 3]) await store.enqueue(newTask(n));
      const expected = [1, 2, 3];
      for (let i = 0; i < 150; i += 1) {
        const [moved = 0] = expected.splice(2, 1);
        expected.splice(1, 0, moved);
        await store.move(id(moved), { before: id(expected[2] ?? 0) });
      }
      expect(await order()).toEqual(expected.map(id));
    });

    it('puts a task with a new priority last among its equals', async () => {
      await store.enqueue(newTask(1));
      await store.enqueue(newTask(2, 'b2', { priority: 5 }));
      await store.enqueue(newTask(3));
      expect((await store.setPriority(id(1), 5)).task.request.priority).toBe(5);
      expect(await order()).toEqual([2, 1, 3].map(id));
    });

    it('answers pages of the history, newest first, by what was asked', async () => {
      for (let n = 1; n <= 8; n += 1) {
        await store.enqueue(newTask(n, n % 2 ? 'odd' : 'even', { repositories: n > 4 ? ['nas', 's3'] : ['nas'] }));
        const state = n === 8 ? 'failed' : 'done';
        await store.end(id(n), { endedMs: n < 4 ? 5000 : 5000 + n, result: emptyResult(state, ['nas']) });
      }
      const ids = async (query: Parameters<QueueStore['history']>[0]): Promise<TaskId[]> =>
        (await store.history(query)).map((task) => task.id);
      expect(await ids({ limit: 3 })).toEqual([8, 7, 6].map(id));
      expect(await ids({ limit: 3, before: id(6) })).toEqual([5, 4, 3].map(id));
      expect(await ids({ limit: 9, before: id(3) })).toEqual([2, 1].map(id));
      expect(await ids({ limit: 9, backup: 'odd' })).toEqual([7, 5, 3, 1].map(id));
      expect(await ids({ limit: 9, repository: 's3' })).toEqual([8, 7, 6, 5].map(id));
      expect(await ids({ limit: 9, repository: 's', kind: 'backup' })).toEqual([]);
      expect(await ids({ limit: 9, states: ['failed', 'warning'], kind: 'backup' })).toEqual([id(8)]);
      expect(await ids({ limit: 9, kind: 'gc' })).toEqual([]);
    });

    it('forgets ended tasks, oldest first, at most so many at once', async () => {
      for (const n of [1, 2, 3, 4]) {
        await store.enqueue(newTask(n));
        if (n < 4) await store.end(id(n), { ...done, endedMs: 1000 * n });
      }
      expect(await store.forget({ endedBeforeMs: 2500, firedBeforeMs: 0, limit: 1 })).toBe(1);
      expect(await store.get(id(1))).toBeUndefined();
      expect(await store.forget({ endedBeforeMs: 2500, firedBeforeMs: 0, limit: 9 })).toBe(1);
      expect((await store.history({ limit: 9 })).map((task) => task.id)).toEqual([id(3)]);
      expect((await store.live()).waiting).toHaveLength(1);
    });

    it('keeps the first of two pauses, and ends it once', async () => {
      const pause = { what: 'backup db', by: 'anna', sinceMs: 5 } as const;
      expect(await store.pause(pause)).toEqual(pause);
      expect(await store.pause({ ...pause, by: 'ben', sinceMs: 9 })).toEqual(pause);
      await store.pause({ what: 'queue', by: 'ben', sinceMs: 3 });
      expect((await store.live()).pauses).toEqual([{ what: 'queue', by: 'ben', sinceMs: 3 }, pause]);
      expect(await store.resume('backup db')).toBe(true);
      expect(await store.resume('backup db')).toBe(false);
    });

    it('does calls in the order in which they were made', async () => {
      const calls = Array.from({ length: 50 }, (_, n) =>
        store.enqueue(newTask(n, `b${n % 10}`, { priority: n as Priority })),
      );
      const outcomes = (await Promise.all(calls)).map(({ outcome }) => outcome);
      expect(outcomes).toEqual([...Array<string>(10).fill('queued'), ...Array<string>(40).fill('merged')]);
      expect(await order()).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map(id));
    });
  });
}

export function inOrder(waiting: readonly Waiting[]): TaskId[] {
  return waiting
    .map(({ task, position }) => ({ id: task.id, priority: task.request.priority, position }))
    .sort(compareOrder)
    .map((entry) => entry.id);
}
