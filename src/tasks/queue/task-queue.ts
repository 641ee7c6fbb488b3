/** The queue as the daemon uses it: durable through its store, known in memory, and telling what happens as events. */
import type { Clock } from '../../core/clock.ts';
import { NotFoundError, UsageError } from '../../core/errors.ts';
import type { TaskId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { Random } from '../../core/random.ts';
import { emptyResult } from '../empty-result.ts';
import type {
  EndedTask,
  Priority,
  RunningTask,
  Task,
  TaskEvent,
  TaskProblem,
  TaskRequest,
  TaskResult,
  Trigger,
  WaitingReason,
  WaitingTask,
} from '../task.ts';
import { KeyedLock } from './keyed-lock.ts';
import { fireKey } from './merge.ts';
import { QueueMirror } from './mirror.ts';
import { whyAllWait, whyWaiting, type QueueState } from './pick.ts';
import { repeatRequest, resumeRequest, retryDelayMs, retryRequest } from './retry.ts';
import type {
  Ended,
  Enqueued,
  HistoryQuery,
  NewTask,
  Pause,
  PauseTarget,
  Place,
  QueueStore,
  Waiting,
} from './store.ts';
import { taskIdMaker } from './task-ids.ts';

export interface QueueSurroundings {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A fresh random text for this life of the daemon. */
  readonly boot: string;
  /** How many tasks may run at once. */
  readonly slots: number;
}

/** What became of a request. A duplicate's task may have ended long ago. */
export interface EnqueueAnswer {
  readonly outcome: Enqueued['outcome'];
  readonly task: Task;
}

/** Listeners are called in order, at once, and must not throw. */
export type TaskListener = (event: TaskEvent) => void;

export class TaskQueue {
  readonly #around: QueueSurroundings;
  readonly #mirror = new QueueMirror();
  readonly #listeners = new Set<TaskListener>();
  readonly #changes = new Set<() => void>();
  /** Start, cancel and end of one task exclude one another. */
  readonly #lock = new KeyedLock<TaskId>();
  readonly #newId: () => TaskId;
  #slots: number;
  #stopping = false;

  private constructor(around: QueueSurroundings) {
    this.#around = around;
    this.#slots = around.slots;
    this.#newId = taskIdMaker(around.clock, around.random);
  }

  /**
   * Loads what is waiting. Tasks that an earlier boot left running end as *interrupted*, and are queued again once when
   * their kind can be resumed. Their events reach `listener`, which then stays.
   */
  static async open(around: QueueSurroundings, listener: TaskListener): Promise<TaskQueue> {
    const queue = new TaskQueue(around);
    queue.#listeners.add(listener);
    queue.#mirror.load(await around.store.live());
    await queue.#recover();
    return queue;
  }

  /** Answers the function that ends the subscription. */
  subscribe(listener: TaskListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** `wake` is called after every change that may let a task start. Answers the function that ends it. */
  onChange(wake: () => void): () => void {
    this.#changes.add(wake);
    return () => void this.#changes.delete(wake);
  }

  /** Durable when it resolves. @throws NesteggError `state.full` and others of the store: then nothing happened. */
  async enqueue(request: TaskRequest): Promise<EnqueueAnswer> {
    const key = fireKey(request);
    const enqueued = await this.#around.store.enqueue(
      this.#newTask(request, key === undefined ? {} : { fireKey: key }),
    );
    if (enqueued.outcome === 'duplicate') return { outcome: 'duplicate', task: await this.get(enqueued.task) };
    this.#queued(enqueued.waiting, enqueued.outcome === 'merged');
    return { outcome: enqueued.outcome, task: enqueued.waiting.task };
  }

  /** Queues again what did not go well in an ended task, or all of it. @throws NotFoundError, UsageError */
  async repeat(id: TaskId, trigger: Trigger): Promise<EnqueueAnswer> {
    const task = await this.get(id);
    if (!('endedMs' in task)) throw new UsageError(`the task ${id} is ${task.state}, so it cannot be repeated yet`);
    return this.enqueue(repeatRequest(task, trigger));
  }

  /**
   * A waiting task ends as cancelled; a running one becomes *aborting*, and `Dispatcher` stops it. A task that is being
   * stopped already stays so. @throws NotFoundError when it neither waits nor runs.
   */
  async cancel(id: TaskId, by: string): Promise<Task> {
    return this.#lock.run(id, async () => {
      const task = this.#mirror.live(id);
      if (task.state === 'aborting') return task;
      if (task.state === 'running') {
        const aborting = await this.#around.store.abort(id);
        this.#mirror.runs(aborting);
        this.#emit({ type: 'task.aborting', task: aborting });
        return aborting;
      }
      const problem: TaskProblem = { code: 'cancelled', message: `cancelled by ${by} before it started` };
      const result = emptyResult('cancelled', task.request.repositories, problem);
      return (await this.#end(id, result, undefined)).task;
    });
  }

  /** @throws NotFoundError, UsageError when it does not wait. */
  async move(id: TaskId, place: Place): Promise<WaitingTask> {
    const moved = await this.#around.store.move(id, place);
    for (const entry of moved) this.#changed(entry);
    const task = this.#mirror.live(id);
    if (task.state !== 'queued') throw new UsageError(`the task ${id} started meanwhile`);
    return task;
  }

  /** @throws NotFoundError, UsageError when it does not wait. */
  async setPriority(id: TaskId, priority: Priority): Promise<WaitingTask> {
    const entry = await this.#around.store.setPriority(id, priority);
    this.#changed(entry);
    return entry.task;
  }

  async pause(what: PauseTarget, by: string): Promise<Pause> {
    const pause = await this.#around.store.pause({ what, by, sinceMs: this.#around.clock.now() });
    this.#mirror.paused(pause);
    return pause;
  }

  /** @throws NotFoundError when it was not paused. */
  async resume(what: PauseTarget): Promise<void> {
    if (!(await this.#around.store.resume(what))) throw new NotFoundError(`${what} is not paused`);
    this.#mirror.resumed(what);
    this.#wake();
  }

  setSlots(slots: number): void {
    this.#slots = slots;
    this.#wake();
  }

  /** From now on nothing starts. */
  stopStarting(): void {
    this.#stopping = true;
  }

  /** Everything that decides what starts next. */
  state(): QueueState {
    const { waiting, running, pauses } = this.#mirror;
    const nowMs = this.#around.clock.now();
    return { waiting, running, pauses, slots: this.#slots, nowMs, stopping: this.#stopping };
  }

  /** A task that waits or runs. */
  find(id: TaskId): WaitingTask | RunningTask | undefined {
    return this.#mirror.find(id);
  }

  /** Why the task waits; `undefined` when it can start at once, or does not wait. */
  why(id: TaskId): WaitingReason | undefined {
    const task = this.#mirror.find(id);
    return task?.state === 'queued' ? whyWaiting(task, this.state()) : undefined;
  }

  whyAll(): ReadonlyMap<TaskId, WaitingReason> {
    return whyAllWait(this.state());
  }

  /** @throws NotFoundError */
  async get(id: TaskId): Promise<Task> {
    const task = this.#mirror.find(id) ?? (await this.#around.store.get(id));
    if (!task) throw new NotFoundError(`there is no task ${id}`);
    return task;
  }

  async history(query: HistoryQuery): Promise<readonly EndedTask[]> {
    return this.#around.store.history(query);
  }

  /** For the dispatcher: marks a waiting task as running; `undefined` when it does not wait any more. */
  async started(id: TaskId): Promise<RunningTask | undefined> {
    return this.#lock.run(id, async () => {
      if (this.#mirror.find(id)?.state !== 'queued' || this.#stopping) return undefined;
      const task = await this.#around.store.start(id, this.#around.clock.now(), this.#around.boot);
      this.#mirror.runs(task);
      this.#emit({ type: 'task.started', task });
      return task;
    });
  }

  /**
   * For the dispatcher: records how a running task ended and, in the same step, queues its repetition: after a failure
   * worth a retry, and after the daemon stopped it. Until this succeeds the task keeps its resources.
   */
  async ended(id: TaskId, result: TaskResult): Promise<Ended> {
    return this.#lock.run(id, async () => {
      const task = this.#mirror.live(id);
      if (task.state === 'queued') throw new UsageError(`the task ${id} has not started`);
      return this.#end(id, result, this.#repetition(task, result));
    });
  }

  /** For the dispatcher: tells what a running task says about itself. */
  tell(event: Extract<TaskEvent, { type: 'task.progress' | 'task.warning' }>): void {
    this.#emit(event);
  }

  #repetition(task: RunningTask, result: TaskResult): NewTask | undefined {
    const { clock, random } = this.#around;
    if (result.state === 'interrupted') {
      const request = resumeRequest(task, 0, result);
      return request && this.#newTask(request, { attempt: task.attempt });
    }
    const request = task.state === 'aborting' ? undefined : retryRequest(task, result);
    const notBeforeMs = clock.now() + retryDelayMs(task.attempt, random);
    return request && this.#newTask(request, { attempt: task.attempt + 1, notBeforeMs });
  }

  async #recover(): Promise<void> {
    for (const { task, interruptions } of await this.#around.store.interrupted(this.#around.boot)) {
      const request = resumeRequest(task, interruptions);
      const problem: TaskProblem = {
        code: 'task.crashed',
        message: 'the daemon ended while this task ran',
        hint: request ? 'It was queued again.' : 'It is not repeated by itself; what was committed before stays.',
      };
      const result = emptyResult('interrupted', task.request.repositories, problem);
      const repeat = request && this.#newTask(request, { attempt: task.attempt, interruptions: interruptions + 1 });
      this.#around.logger.warn('task.interrupted', { task: task.id, kind: task.request.kind, repeated: !!repeat });
      await this.#end(task.id, result, repeat);
    }
  }

  async #end(id: TaskId, result: TaskResult, repeat: NewTask | undefined): Promise<Ended> {
    const endedMs = this.#around.clock.now();
    const ended = await this.#around.store.end(id, repeat ? { endedMs, result, repeat } : { endedMs, result });
    this.#mirror.ended(id);
    this.#emit({ type: 'task.ended', task: ended.task });
    if (ended.repeat && ended.repeat.outcome !== 'duplicate') {
      this.#queued(ended.repeat.waiting, ended.repeat.outcome === 'merged');
    }
    this.#wake();
    return ended;
  }

  #newTask(request: TaskRequest, more: Partial<NewTask>): NewTask {
    return { id: this.#newId(), request, createdMs: this.#around.clock.now(), attempt: 1, interruptions: 0, ...more };
  }

  #queued(entry: Waiting, merged: boolean): void {
    this.#mirror.waits(entry);
    this.#emit({ type: 'task.queued', task: entry.task, merged });
    this.#wake();
  }

  #changed(entry: Waiting): void {
    this.#mirror.waits(entry);
    this.#emit({ type: 'task.changed', task: entry.task });
    this.#wake();
  }

  #emit(event: TaskEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #wake(): void {
    for (const wake of this.#changes) wake();
  }
}
