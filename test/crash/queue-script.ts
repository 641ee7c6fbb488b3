/** What happens to a queue before it is killed: calls of its store, drawn by a seed, each of them possible when it comes. */
import { isDeepStrictEqual } from 'node:util';
import { taskId, type TaskId } from '../../src/core/ids.ts';
import { emptyResult } from '../../src/tasks/empty-result.ts';
import { MemoryQueueStore } from '../../src/tasks/queue/memory-store.ts';
import { compareOrder } from '../../src/tasks/queue/order.ts';
import type { LiveTasks, NewTask, QueueStore } from '../../src/tasks/queue/store.ts';
import type { EndedTask, EndState, Priority } from '../../src/tasks/task.ts';
import { SeededRandom } from '../support/datastore/seeded.ts';

/** One call; plain JSON. */
export interface Step {
  readonly method: keyof QueueStore;
  readonly values: readonly unknown[];
}

export const boot = 'the boot that is killed';
const priorities: readonly Priority[] = ['immediate', 'next', 'superior', 5, 0, -5, 'inferior', 'on-idle'];
const historyLimit = 10_000;
const endings: readonly EndState[] = ['done', 'warning', 'failed', 'cancelled'];

/** Applies a step to a store of either kind. */
export function apply(store: object, { method, values }: Step): unknown {
  const call: unknown = Reflect.get(store, method);
  if (typeof call !== 'function') throw new TypeError(`a queue store has no ${method}`);
  return Reflect.apply(call, store, values);
}

/** Everything that a store shows, as a value to compare: of priorities and positions the order that they make. */
function contentOf({ waiting, ...live }: LiveTasks, history: readonly EndedTask[]): unknown {
  const tasks = new Map(waiting.map(({ task }) => [task.id, task]));
  const placed = waiting.map(({ task, position }) => ({ id: task.id, priority: task.request.priority, position }));
  const inOrder = placed.sort(compareOrder).map(({ id }) => tasks.get(id));
  return { ...live, inOrder, history };
}

function shownBy(model: MemoryQueueStore): unknown {
  return contentOf(model.live(), model.history({ limit: historyLimit }));
}

export async function shownByStored(store: QueueStore): Promise<unknown> {
  return contentOf(await store.live(), await store.history({ limit: historyLimit }));
}

/** How many of the steps a store has seen, if what it shows is what it shall show after just so many. */
export function stepsSeen(content: unknown, steps: readonly Step[], from: number, to: number): number | undefined {
  const model = new MemoryQueueStore();
  for (let seen = 0; seen <= Math.min(to, steps.length); seen += 1) {
    if (seen >= from && isDeepStrictEqual(content, shownBy(model))) return seen;
    const step = steps[seen];
    if (step) apply(model, step);
  }
  return undefined;
}

/** Groups of steps that are sent together, and so may be committed together. */
export function makeScript(seed: string, length: number): Step[][] {
  const random = new SeededRandom(`${seed}|queue`);
  const model = new MemoryQueueStore();
  const groups: Step[][] = [];
  let made = 0;
  while (made < length) {
    const group: Step[] = [];
    const size = 1 + random.below(4);
    while (group.length < size) {
      const step = drawStep(random, model, made);
      apply(model, step);
      group.push(step);
      made += 1;
    }
    groups.push(group);
  }
  return groups;
}

/** By chance, one of what can be done now. */
function drawStep(random: SeededRandom, model: MemoryQueueStore, number: number): Step {
  const { waiting, running } = model.live();
  const nowMs = 1_000_000 + number;
  const possible: Step[] = [
    { method: 'enqueue', values: [newTask(random, number)] },
    { method: 'enqueue', values: [newTask(random, number)] },
    { method: 'pause', values: [{ what: 'queue', by: 'somebody', sinceMs: nowMs }] },
  ];
  if (waiting.length > 0) {
    const { id } = pick(random, waiting).task;
    possible.push(
      { method: 'start', values: [id, nowMs, boot] },
      { method: 'setPriority', values: [id, pick(random, priorities)] },
      { method: 'move', values: [id, pick(random, ['first', 'last'])] },
    );
  }
  if (running.length > 0) {
    const task = pick(random, running);
    if (task.state === 'running') possible.push({ method: 'abort', values: [task.id] });
    const result = emptyResult(pick(random, endings), task.request.repositories);
    const ending = { endedMs: nowMs, result };
    const repeat = newTask(random, number);
    possible.push({ method: 'end', values: [task.id, pick(random, [ending, { ...ending, repeat }])] });
  }
  return pick(random, possible);
}

function newTask(random: SeededRandom, number: number): NewTask {
  const backup = `backup-${String(random.below(12))}`;
  return {
    id: idOf(number),
    request: {
      kind: 'backup',
      subject: { type: 'backup', backup },
      repositories: ['nas'],
      priority: pick(random, priorities),
      trigger: { kind: 'cron', detail: '0 * * * *' },
      options: {},
      retries: 1,
    },
    createdMs: 1_000_000 + number,
    attempt: 1,
    interruptions: 0,
    ...(random.below(3) === 0 ? { fireKey: `due ${String(random.below(20))}` } : {}),
  };
}

function idOf(number: number): TaskId {
  return taskId(`task${String(number).padStart(16, '0')}`);
}

function pick<T>(random: SeededRandom, from: readonly T[]): T {
  const found = from[random.below(from.length)];
  if (found === undefined) throw new RangeError('nothing to pick from');
  return found;
}
