/**
 * Which task starts next, and why each other one waits. Pure: a function of everything that decides.
 *
 * The waiting tasks are walked in order; each starts in thought when nothing stops it, and so stands in the way of those
 * behind it. A task that cannot start reserves nothing: one that waits for a repository never keeps another repository
 * idle. Hence `on-idle`, the lowest priority, starts only when nothing else can.
 *
 * A reason names the one thing that would have to change first: stopping, pause, retry time, collision, slots, and for
 * everything behind the first task that lacks a slot, how many lack one before it.
 */
import type { TaskId } from '../../core/ids.ts';
import type { RunningTask, WaitingReason, WaitingTask } from '../task.ts';
import { collisionKeys } from './collisions.ts';
import type { Pause } from './store.ts';

export interface QueueState {
  /** In the order of the queue. */
  readonly waiting: readonly WaitingTask[];
  readonly running: readonly RunningTask[];
  readonly pauses: readonly Pause[];
  /** How many tasks may run at once. Those of priority `immediate` start beyond it, and count once they run. */
  readonly slots: number;
  readonly nowMs: number;
  /** The daemon ends: nothing starts any more. */
  readonly stopping: boolean;
}

interface Walk {
  readonly state: QueueState;
  /** Who holds which key: running tasks, and those that start in thought. */
  readonly holders: Map<string, TaskId>;
  readonly pauses: ReadonlyMap<string, Pause>;
  used: number;
  lackSlot: number;
}

/** The first task in order that nothing keeps from starting. */
export function pickNext(state: QueueState): WaitingTask | undefined {
  const walk = begin(state);
  return state.waiting.find((task) => step(task, walk) === undefined);
}

/** Why `task`, one of those waiting, does not start; `undefined` when it can start now. */
export function whyWaiting(task: WaitingTask, state: QueueState): WaitingReason | undefined {
  const walk = begin(state);
  for (const entry of state.waiting) {
    const reason = step(entry, walk);
    if (entry.id === task.id) return reason;
  }
  return undefined;
}

/** `whyWaiting` for all of them in one walk; those that can start are absent. */
export function whyAllWait(state: QueueState): ReadonlyMap<TaskId, WaitingReason> {
  const walk = begin(state);
  const reasons = new Map<TaskId, WaitingReason>();
  for (const task of state.waiting) {
    const reason = step(task, walk);
    if (reason) reasons.set(task.id, reason);
  }
  return reasons;
}

/** When something that only time decides will let a task start; `undefined` when nothing waits for time alone. */
export function nextWakeMs(state: QueueState): number | undefined {
  let earliest: number | undefined;
  for (const { notBeforeMs } of state.waiting) {
    if (notBeforeMs !== undefined && notBeforeMs > state.nowMs) earliest = Math.min(earliest ?? Infinity, notBeforeMs);
  }
  return earliest;
}

function begin(state: QueueState): Walk {
  const holders = new Map<string, TaskId>();
  for (const task of state.running) for (const key of collisionKeys(task.request)) holders.set(key, task.id);
  const pauses = new Map(state.pauses.map((pause) => [pause.what as string, pause]));
  return { state, holders, pauses, used: state.running.length, lackSlot: 0 };
}

function step(task: WaitingTask, walk: Walk): WaitingReason | undefined {
  const { state } = walk;
  if (state.stopping) return { reason: 'stopping' };
  const keys = collisionKeys(task.request);
  const pause = pauseOf(keys, walk.pauses);
  if (pause) return { reason: 'paused', what: pause.what, by: pause.by, sinceMs: pause.sinceMs };
  if (task.notBeforeMs !== undefined && task.notBeforeMs > state.nowMs)
    return { reason: 'retry', atMs: task.notBeforeMs };
  const collision = collisionOf(keys, walk.holders);
  if (collision) return collision;
  if (walk.used >= state.slots && task.request.priority !== 'immediate') return lackOfSlot(walk);
  for (const key of keys) walk.holders.set(key, task.id);
  walk.used += 1;
  return undefined;
}

function lackOfSlot(walk: Walk): WaitingReason {
  const tasksAhead = walk.lackSlot++;
  if (tasksAhead > 0) return { reason: 'behind', tasksAhead };
  return { reason: 'slots', used: walk.used, slots: walk.state.slots };
}

function pauseOf(keys: ReadonlySet<string>, pauses: ReadonlyMap<string, Pause>): Pause | undefined {
  if (pauses.size === 0) return undefined;
  const all = pauses.get('queue');
  if (all) return all;
  for (const key of keys) {
    const pause = pauses.get(key);
    if (pause) return pause;
  }
  return undefined;
}

function collisionOf(keys: ReadonlySet<string>, holders: ReadonlyMap<string, TaskId>): WaitingReason | undefined {
  for (const on of keys) {
    const task = holders.get(on);
    if (task !== undefined) return { reason: 'collision', task, on };
  }
  return undefined;
}
