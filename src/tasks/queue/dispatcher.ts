/** Starts the tasks that may start, and sees each to its end. */
import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { TaskId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import { emptyResult } from '../empty-result.ts';
import type { RunningTask, TaskProblem, TaskProgress, TaskResult } from '../task.ts';
import { nextWakeMs, pickNext } from './pick.ts';
import type { TaskQueue } from './task-queue.ts';

/** A task at work. `ended` never takes longer than the runner's own limits after `stop`. */
export interface TaskWork {
  readonly ended: Promise<TaskResult>;
  /** Asks it to end. Idempotent; the first reason counts. */
  stop(reason: 'cancel' | 'shutdown'): void;
}

/** Does the work of a task, somewhere else. What it throws, or rejects with, fails the task. */
export interface TaskRunner {
  run(
    task: RunningTask,
    tell: { progress(progress: TaskProgress): void; warning(problem: TaskProblem): void },
  ): TaskWork;
}

const longestWaitMs = 30_000;
const storeTroubleMs = 5_000;

/**
 * States: *idle* → `start` → *dispatching* → `stop` → *stopping* → *stopped*. One loop picks and starts; each running task has a
 * flow of its own that records its end, again and again while the store cannot (a full disk), so that no result is lost.
 */
export class Dispatcher {
  readonly #queue: TaskQueue;
  readonly #runner: TaskRunner;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #work = new Map<TaskId, TaskWork>();
  readonly #flows = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #wakeUp = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(queue: TaskQueue, runner: TaskRunner, around: { readonly clock: Clock; readonly logger: Logger }) {
    this.#queue = queue;
    this.#runner = runner;
    this.#clock = around.clock;
    this.#logger = around.logger;
  }

  start(): void {
    this.#loop ??= this.#dispatch();
  }

  /**
   * Starts nothing more, asks every running task to end, and resolves when the end of each is recorded or, once it
   * ended, the store refuses it: the next boot then finds it interrupted.
   */
  async stop(): Promise<void> {
    this.#queue.stopStarting();
    this.#stop.abort();
    this.#wakeUp.abort();
    for (const work of this.#work.values()) work.stop('shutdown');
    await this.#loop;
    await Promise.all(this.#flows);
  }

  async #dispatch(): Promise<void> {
    const unsubscribe = [
      this.#queue.onChange(() => {
        this.#wakeUp.abort();
      }),
      this.#queue.subscribe((event) => {
        if (event.type === 'task.aborting') this.#work.get(event.task.id)?.stop('cancel');
      }),
    ];
    try {
      while (!this.#stop.signal.aborted) {
        this.#wakeUp = new AbortController();
        const waitMs = await this.#startWhatCan();
        await this.#sleep(waitMs);
      }
    } finally {
      for (const end of unsubscribe) end();
    }
  }

  /** Answers how long nothing is to be expected from the passing of time. */
  async #startWhatCan(): Promise<number> {
    try {
      for (let next = pickNext(this.#queue.state()); next; next = pickNext(this.#queue.state())) {
        const task = await this.#queue.started(next.id);
        if (task) this.#launch(task);
      }
    } catch (error) {
      this.#logger.error('queue.start-failed', { error: messageOf(error) });
      return storeTroubleMs;
    }
    const state = this.#queue.state();
    return Math.min(longestWaitMs, (nextWakeMs(state) ?? Infinity) - state.nowMs);
  }

  #launch(task: RunningTask): void {
    const flow = this.#see(task).finally(() => {
      this.#work.delete(task.id);
      this.#flows.delete(flow);
    });
    this.#flows.add(flow);
  }

  /** From start to recorded end; never rejects. */
  async #see(task: RunningTask): Promise<void> {
    const result = await this.#result(task);
    for (;;) {
      try {
        await this.#queue.ended(task.id, result);
        return;
      } catch (error) {
        this.#logger.error('queue.end-failed', { task: task.id, state: result.state, error: messageOf(error) });
        if (this.#stop.signal.aborted) return;
        await this.#sleepUnlessStopping(storeTroubleMs);
      }
    }
  }

  async #result(task: RunningTask): Promise<TaskResult> {
    const { id } = task;
    const startedMs = this.#clock.monotonic();
    try {
      const work = this.#runner.run(task, {
        progress: (progress) => {
          this.#queue.tell({ type: 'task.progress', id, progress });
        },
        warning: (problem) => {
          this.#queue.tell({ type: 'task.warning', id, problem });
        },
      });
      this.#work.set(id, work);
      // A cancel, or the end of the daemon, may have come between the record of the start and this line.
      if (this.#queue.find(id)?.state === 'aborting') work.stop('cancel');
      if (this.#stop.signal.aborted) work.stop('shutdown');
      return await work.ended;
    } catch (error) {
      const durationMs = Math.round(this.#clock.monotonic() - startedMs);
      const problem: TaskProblem = { code: 'internal', message: `the task could not be run: ${messageOf(error)}` };
      return emptyResult('failed', task.request.repositories, problem, durationMs);
    }
  }

  /** Waits for `ms`, or a change, or stop; and then for what changes together with it, to decide once for all. */
  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#wakeUp;
    await this.#clock.sleep(ms, { signal }).catch(() => undefined);
    if (!this.#stop.signal.aborted) await this.#clock.sleep(0);
  }

  async #sleepUnlessStopping(ms: number): Promise<void> {
    await this.#clock.sleep(ms, { signal: this.#stop.signal }).catch(() => undefined);
  }
}
