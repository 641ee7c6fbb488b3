/**
 * # Queue: the ordered, durable list of tasks that wait or run
 *
 * Words: a task *waits* (`queued`), *runs* (`running`, `aborting`) or *ended* (the history). A *boot* is one life of the
 * daemon. A *fire key* names one due time of one schedule. A *pause* holds the whole queue, one backup or one repository.
 *
 * Invariants:
 * 1. **Durable.** When a promise of the store resolves, its effect survives a crash of process and machine.
 * 2. **Atomic.** Each call happens wholly or not at all; a call that fails changed nothing.
 * 3. **Exactly once.** One fire key makes at most one task, ever, also when that task has merged or ended meanwhile.
 * 4. **Merge.** Two waiting tasks are never equal (`merge.ts`); the second request raises the priority of the first.
 * 5. **Order** is priority, then position; a new task takes the last position (`order.ts`).
 * 6. Of every boot but the present one no task runs: `recover` turned them into `interrupted`.
 *
 * Deciding is pure (`order`, `merge`, `collisions`, `pick`, `retry`); keeping is the store's; `TaskQueue` ties both to
 * events, and `Dispatcher` starts what may start.
 */
import type { TaskId } from '../../core/ids.ts';
import type {
  EndedTask,
  EndState,
  Priority,
  RunningTask,
  Task,
  TaskKind,
  TaskRequest,
  TaskResult,
  WaitingTask,
} from '../task.ts';

/** A waiting task with its place. Lower positions go first among tasks of one priority. */
export interface Waiting {
  readonly task: WaitingTask;
  readonly position: number;
}

/** A task on its way into the queue. `id` is fresh; it is unused when the request merges. */
export interface NewTask {
  readonly id: TaskId;
  readonly request: TaskRequest;
  readonly createdMs: number;
  /** 1 unless it repeats another task. */
  readonly attempt: number;
  /** Not to be started earlier: back-off of a retry. */
  readonly notBeforeMs?: number;
  /** How often it, or what it repeats, was cut off by the end of a boot without being asked to stop. */
  readonly interruptions: number;
  /** Names one due time of one schedule: `fireKey` in `merge.ts`. */
  readonly fireKey?: string;
}

/** `duplicate`: this fire key made that task before; nothing changed. `task` may have ended meanwhile. */
export type Enqueued =
  | { readonly outcome: 'queued' | 'merged'; readonly waiting: Waiting }
  | { readonly outcome: 'duplicate'; readonly task: TaskId };

/** The end of a task and, in the same moment, the task that repeats it. */
export interface Ending {
  readonly endedMs: number;
  readonly result: TaskResult;
  readonly repeat?: NewTask;
}

export interface Ended {
  readonly task: EndedTask;
  readonly repeat?: Enqueued;
}

/** What of the queue was cut off by the end of an earlier boot. */
export interface Interrupted {
  readonly task: RunningTask;
  readonly interruptions: number;
}

/** Where a waiting task goes: before all or after all of its priority, or next to another one, whose priority it takes. */
export type Place = 'first' | 'last' | { readonly before: TaskId } | { readonly after: TaskId };

/** `queue`, or `backup NAME`, or `repository NAME`. */
export type PauseTarget = 'queue' | `backup ${string}` | `repository ${string}`;

export interface Pause {
  readonly what: PauseTarget;
  readonly by: string;
  readonly sinceMs: number;
}

export interface HistoryQuery {
  /** At most this many, newest first. */
  readonly limit: number;
  /** Only tasks that ended before this one did: the next page. */
  readonly before?: TaskId;
  readonly backup?: string;
  readonly repository?: string;
  readonly kind?: TaskKind;
  readonly states?: readonly EndState[];
}

export interface ForgetQuery {
  readonly endedBeforeMs: number;
  /** A fire key must outlive every chance that its due time comes up again. */
  readonly firedBeforeMs: number;
  /** At most so many of each, so that one call stays short. */
  readonly limit: number;
}

/** All that waits and runs: what a daemon loads at start. */
export interface LiveTasks {
  readonly waiting: readonly Waiting[];
  readonly running: readonly RunningTask[];
  readonly pauses: readonly Pause[];
}

/**
 * Keeps the queue. One daemon uses it at a time; calls take effect in the order in which they were made.
 *
 * Every method throws NesteggError: `state.full` (nothing changed, try later), `state.failed`, `state.corrupt`;
 * `not-found` for an id that is unknown, `usage` for one that is in another state than the method needs.
 */
export interface QueueStore {
  /** Tasks that earlier boots left running, in order of start. Read at start, before anything else. */
  interrupted(boot: string): Promise<readonly Interrupted[]>;
  live(): Promise<LiveTasks>;
  enqueue(task: NewTask): Promise<Enqueued>;
  /** queued → running. */
  start(id: TaskId, startedMs: number, boot: string): Promise<RunningTask>;
  /** running → aborting. */
  abort(id: TaskId): Promise<RunningTask>;
  /** queued, running, aborting → ended. */
  end(id: TaskId, ending: Ending): Promise<Ended>;
  /** Moves a waiting task. Answers all waiting tasks whose position or priority changed. */
  move(id: TaskId, place: Place): Promise<readonly Waiting[]>;
  /** Puts a waiting task last among those of the new priority. */
  setPriority(id: TaskId, priority: Priority): Promise<Waiting>;
  /** Any task, waiting, running or ended. */
  get(id: TaskId): Promise<Task | undefined>;
  history(query: HistoryQuery): Promise<readonly EndedTask[]>;
  /** Removes what is older than asked for, oldest first; answers how many ended tasks went. */
  forget(age: ForgetQuery): Promise<number>;
  /** Idempotent: an existing pause of the same target stays as it is. */
  pause(pause: Pause): Promise<Pause>;
  /** Answers whether there was such a pause. */
  resume(what: PauseTarget): Promise<boolean>;
}

/** The same contract without promises: what runs on the thread of the database. */
export type Synchronous<Store> = {
  readonly [Method in keyof Store]: Store[Method] extends (...values: infer Values) => Promise<infer Answer>
    ? (...values: Values) => Answer
    : never;
};
