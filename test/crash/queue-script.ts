/** What happens to a queue before it is killed: calls of its store, drawn by a seed, each of them possible when it comes. */
import { isDeepStrictEqual } from 'node:util';
import { taskId, type TaskId } from '../../src/core/ids.ts';
import { emptyResult } from '../../src/tasks/empty-result.ts';
import { MemoryQueueStore } from '../../src/tasks/queue/memory-store.ts';
import type { NewTask, QueueStore } from '../../src/tasks/queue/store.ts';
import type { EndState, Priority } from '../../src/tasks/task.ts';
import { SeededRandom } from '../support/datastore/seeded.ts';

/** One call; plain JSON. */
export interface Step {
  readonly method: keyof QueueStore;
  readonly values: readonly unknown[];
}

export const boot = 'the boot that is killed';
const priorities: readonly Priority[] = ['immediate', 'next', 'superior', 5, 0, -5, 'inferior', 'on-idle'];
const endings: readonly EndState[] = ['done', 'warning', 'failed', 'cancelled'];

/** Applies a step to a store of either kind. */
export function apply(store: object, { method, values }: Step): unknown {
  const call: unknown = Reflect.get(store, method);
  if (typeof call !== 'function') throw new TypeError(`a queue store has no ${method}`);
  return Reflect.apply(call, store, values);
}

/** Everything that a store shows, as a value to compare. */
export function contentOf(store: MemoryQueueStore): unknown {
  return { live: store.live(), history: store.history({ limit: 10_000 }) };
}

export async function contentOfStored(store: QueueStore): Promise<unknown> {
  return { live: await store.live(), history: await store.history({ limit: 10_000 }) };
}

/** How many of the steps a store has seen, if what it shows is what it shall show after just so many. */
export function stepsSeen(content: unknown, steps: readonly Step[], from: number, to: number): number | undefined {
  const model = new MemoryQueueStore();
  for (let seen = 0; seen <= Math.min(to, steps.length); seen += 1) {
    if (seen >= from && isDeepStrictEqual(content, contentOf(model))) return seen;
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

function drawStep(random: SeededRandom, model: MemoryQueueStore, number: number): Step {
  const { waiting, running } = model.live();
  const nowMs = 1_000_000 + number;
  const task = waiting[random.below(Math.max(1, waiting.length))]?.task;
  const active = running[random.below(Math.max(1, running.length))];
  const choice = random.below(10);
  if (task && choice === 0) return { method: 'setPriority', values: [task.id, pick(random, priorities)] };
  if (task && choice === 1) return { method: 'move', values: [task.id, random.below(2) === 0 ? 'first' : 'last'] };
  if (task && (choice === 2 || choice === 3)) return { method: 'start', values: [task.id, nowMs, boot] };
  if (active?.state === 'running' && choice === 4) return { method: 'abort', values: [active.id] };
  if (active && (choice === 5 || choice === 6)) {
    const result = emptyResult(pick(random, endings), active.request.repositories);
    const repeat = random.below(2) === 0 ? { repeat: newTask(random, number) } : {};
    return { method: 'end', values: [active.id, { endedMs: nowMs, result, ...repeat }] };
  }
  if (choice === 7) return { method: 'pause', values: [{ what: 'queue', by: 'somebody', sinceMs: nowMs }] };
  return { method: 'enqueue', values: [newTask(random, number)] };
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
