import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collisionKeys } from '../../../src/tasks/queue/collisions.ts';
import { compareOrder } from '../../../src/tasks/queue/order.ts';
import { nextWakeMs, pickNext, type QueueState, whyAllWait, whyWaiting } from '../../../src/tasks/queue/pick.ts';
import type { Pause } from '../../../src/tasks/queue/store.ts';
import type { Priority, RunningTask, WaitingReason, WaitingTask } from '../../../src/tasks/task.ts';
import { id, request } from '../../contracts/queue-store-contract.ts';

const nowMs = 1_000_000;

function waiting(
  n: number,
  priority: Priority,
  backup: string,
  repositories: readonly string[],
  notBeforeMs?: number,
): WaitingTask {
  const base = { id: id(n), request: request(backup, { priority, repositories }), attempt: 1, createdMs: n, merged: 0 };
  return { ...base, state: 'queued', ...(notBeforeMs === undefined ? {} : { notBeforeMs }) };
}

function run(task: WaitingTask): RunningTask {
  const { notBeforeMs: _, ...rest } = task;
  return { ...rest, state: 'running', startedMs: nowMs };
}

const sorted = (tasks: readonly WaitingTask[]): WaitingTask[] =>
  [...tasks].sort((a, b) =>
    compareOrder(
      { id: a.id, priority: a.request.priority, position: a.createdMs },
      { id: b.id, priority: b.request.priority, position: b.createdMs },
    ),
  );

const priorities = fc.oneof(
  fc.constantFrom<Priority>('immediate', 'next', 'superior', 'inferior', 'on-idle'),
  fc.integer({ min: -2, max: 2 }),
);
const someTask = fc.record({
  priority: priorities,
  backup: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  repositories: fc.uniqueArray(fc.constantFrom('r1', 'r2', 'r3', 'r4'), { maxLength: 3 }),
  notBeforeMs: fc.option(fc.constantFrom(nowMs - 5, nowMs, nowMs + 500), { nil: undefined, freq: 4 }),
});
const pauses = fc.uniqueArray(fc.constantFrom<Pause['what']>('queue', 'backup a', 'repository r1'), { maxLength: 1 });

const states: fc.Arbitrary<QueueState> = fc
  .record({
    tasks: fc.array(someTask, { maxLength: 14 }),
    slots: fc.integer({ min: 1, max: 3 }),
    pauses,
    steps: fc.nat(5),
  })
  .map(({ tasks, slots, pauses: paused, steps }) => {
    const all = tasks.map((task, n) => waiting(n, task.priority, task.backup, task.repositories, task.notBeforeMs));
    let state: QueueState = { waiting: sorted(all), running: [], pauses: [], slots, nowMs, stopping: false };
    for (let i = 0; i < steps; i += 1) state = startNext(state) ?? state;
    return { ...state, pauses: paused.map((what) => ({ what, by: 'anna', sinceMs: 1 })) };
  });

function startNext(state: QueueState): QueueState | undefined {
  const next = pickNext(state);
  if (!next) return undefined;
  return {
    ...state,
    waiting: state.waiting.filter((task) => task.id !== next.id),
    running: [...state.running, run(next)],
  };
}

function settled(state: QueueState): QueueState {
  for (let next: QueueState | undefined = state; next; next = startNext(state)) state = next;
  return state;
}

/** The rule in its plainest words, one task at a time. */
function mayStart(task: WaitingTask, state: QueueState): boolean {
  const held = new Set(state.running.flatMap((running) => [...collisionKeys(running.request)]));
  const keys = [...collisionKeys(task.request)];
  const paused = state.pauses.some(({ what }) => what === 'queue' || keys.includes(what));
  const free = state.running.length < state.slots || task.request.priority === 'immediate';
  return !state.stopping && !paused && (task.notBeforeMs ?? 0) <= nowMs && !keys.some((key) => held.has(key)) && free;
}

describe('what starts next', () => {
  it('is the first in order that may start', () => {
    fc.assert(
      fc.property(states, (state) => {
        expect(pickNext(state)?.id).toBe(state.waiting.find((task) => mayStart(task, state))?.id);
      }),
    );
  });

  it('never collides, never exceeds the slots but by `immediate`, and leaves nobody behind who may start', () => {
    fc.assert(
      fc.property(states, (before) => {
        const state = settled(before);
        const keys = state.running.flatMap((task) => [...collisionKeys(task.request)]);
        expect(new Set(keys).size).toBe(keys.length);
        const ordinary = state.running.filter((task) => task.request.priority !== 'immediate');
        expect(ordinary.length).toBeLessThanOrEqual(state.slots);
        expect(state.waiting.filter((task) => mayStart(task, state))).toEqual([]);
      }),
    );
  });

  it('leaves `on-idle` to the end', () => {
    fc.assert(
      fc.property(states, (state) => {
        if (pickNext(state)?.request.priority !== 'on-idle') return;
        const others = state.waiting.filter((task) => task.request.priority !== 'on-idle');
        expect(others.filter((task) => mayStart(task, state))).toEqual([]);
      }),
    );
  });
});

describe('why a task waits', () => {
  it('is told for exactly those that cannot start', () => {
    fc.assert(
      fc.property(states, (before) => {
        const state = settled(before);
        const reasons = whyAllWait(state);
        expect([...reasons.keys()]).toEqual(state.waiting.map((task) => task.id));
        for (const task of state.waiting) expect(whyWaiting(task, state)).toEqual(reasons.get(task.id));
      }),
    );
  });

  it('names something whose end lets the task start or changes the reason', () => {
    fc.assert(
      fc.property(states, (before) => {
        const state = settled(before);
        for (const [task, reason] of [...whyAllWait(state)]) {
          const after = whyAllWait(settled(ended(reason, state)));
          expect(after.get(task)).not.toEqual(reason);
        }
      }),
    );
  });

  /** The state once what the reason names is over. */
  function ended(reason: WaitingReason, state: QueueState): QueueState {
    switch (reason.reason) {
      case 'collision':
        return { ...state, running: state.running.filter((task) => task.id !== reason.task) };
      case 'slots':
        return { ...state, slots: state.slots + state.running.length };
      case 'behind': {
        const reasons = whyAllWait(state);
        const ahead = state.waiting.filter((task) => ['slots', 'behind'].includes(reasons.get(task.id)?.reason ?? ''));
        const gone = new Set(ahead.slice(0, reason.tasksAhead).map((task) => task.id));
        return { ...state, waiting: state.waiting.filter((task) => !gone.has(task.id)) };
      }
      case 'paused':
        return { ...state, pauses: state.pauses.filter((pause) => pause.what !== reason.what) };
      case 'retry':
        return { ...state, nowMs: reason.atMs };
      case 'stopping':
      case 'window':
        return { ...state, stopping: false };
    }
  }

  const busy = run(waiting(1, 0, 'a', ['r1']));
  const base: QueueState = { waiting: [], running: [busy], pauses: [], slots: 1, nowMs, stopping: false };
  const cases: readonly (readonly [what: string, state: Partial<QueueState>, reasons: readonly WaitingReason[]])[] = [
    [
      'a repository',
      { waiting: [waiting(2, 0, 'b', ['r2', 'r1'])] },
      [{ reason: 'collision', task: id(1), on: 'repository r1' }],
    ],
    [
      'a backup',
      { waiting: [waiting(2, 'immediate', 'a', ['r2'])] },
      [{ reason: 'collision', task: id(1), on: 'backup a' }],
    ],
    [
      'slots, and who is before it',
      { waiting: [waiting(2, 0, 'b', ['r2']), waiting(3, 'on-idle', 'c', ['r3'])] },
      [
        { reason: 'slots', used: 1, slots: 1 },
        { reason: 'behind', tasksAhead: 1 },
      ],
    ],
    [
      'its retry',
      { running: [], waiting: [waiting(2, 0, 'b', [], nowMs + 1)] },
      [{ reason: 'retry', atMs: nowMs + 1 }],
    ],
    [
      'a pause',
      {
        running: [],
        waiting: [waiting(2, 0, 'b', ['r2'])],
        pauses: [{ what: 'repository r2', by: 'anna', sinceMs: 7 }],
      },
      [{ reason: 'paused', what: 'repository r2', by: 'anna', sinceMs: 7 }],
    ],
    [
      'the end of the daemon',
      { running: [], waiting: [waiting(2, 0, 'b', [])], stopping: true },
      [{ reason: 'stopping' }],
    ],
  ];
  for (const [what, state, reasons] of cases) {
    it(`can be ${what}`, () => {
      expect([...whyAllWait({ ...base, ...state }).values()]).toEqual(reasons);
    });
  }

  it('ends by itself at the next retry time', () => {
    const later = [
      waiting(2, 0, 'b', [], nowMs + 9),
      waiting(3, 0, 'c', [], nowMs + 4),
      waiting(4, 0, 'd', [], nowMs - 4),
    ];
    expect(nextWakeMs({ ...base, waiting: later })).toBe(nowMs + 4);
    expect(nextWakeMs(base)).toBeUndefined();
  });

  it('is told for ten thousand tasks in one walk', () => {
    const many = Array.from({ length: 10_000 }, (_, n) => waiting(n, n % 7, `b${n}`, [`r${n % 50}`]));
    const state = settled({ ...base, running: [], waiting: sorted(many), slots: 20 });
    expect(state.running).toHaveLength(20);
    expect(whyAllWait(state).size).toBe(9_980);
  });
});
