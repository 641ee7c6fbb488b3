/** What the store answered last, in memory: so that deciding and showing need no database. */
import { NotFoundError } from '../../core/errors.ts';
import type { TaskId } from '../../core/ids.ts';
import type { RunningTask, WaitingTask } from '../task.ts';
import { compareOrder } from './order.ts';
import type { LiveTasks, Pause, PauseTarget, Waiting } from './store.ts';

/** Fed with the answers of the store in the order in which the calls were made; holds no task that ended. */
export class QueueMirror {
  readonly #waiting = new Map<TaskId, Waiting>();
  readonly #running = new Map<TaskId, RunningTask>();
  readonly #pauses = new Map<PauseTarget, Pause>();
  #ordered: readonly WaitingTask[] | undefined;

  load(live: LiveTasks): void {
    for (const entry of live.waiting) this.#waiting.set(entry.task.id, entry);
    for (const task of live.running) this.#running.set(task.id, task);
    for (const pause of live.pauses) this.#pauses.set(pause.what, pause);
    this.#ordered = undefined;
  }

  /** In the order of the queue. */
  get waiting(): readonly WaitingTask[] {
    this.#ordered ??= [...this.#waiting.values()]
      .map(({ task, position }) => ({ task, id: task.id, priority: task.request.priority, position }))
      .sort(compareOrder)
      .map(({ task }) => task);
    return this.#ordered;
  }

  get running(): readonly RunningTask[] {
    return [...this.#running.values()];
  }

  get pauses(): readonly Pause[] {
    return [...this.#pauses.values()];
  }

  find(id: TaskId): WaitingTask | RunningTask | undefined {
    return this.#waiting.get(id)?.task ?? this.#running.get(id);
  }

  /** @throws NotFoundError for a task that does not wait or run. */
  live(id: TaskId): WaitingTask | RunningTask {
    const task = this.find(id);
    if (!task) throw new NotFoundError(`no task ${id} waits or runs`);
    return task;
  }

  waits(entry: Waiting): void {
    this.#waiting.set(entry.task.id, entry);
    this.#ordered = undefined;
  }

  runs(task: RunningTask): void {
    if (this.#waiting.delete(task.id)) this.#ordered = undefined;
    this.#running.set(task.id, task);
  }

  ended(id: TaskId): void {
    if (this.#waiting.delete(id)) this.#ordered = undefined;
    this.#running.delete(id);
  }

  paused(pause: Pause): void {
    this.#pauses.set(pause.what, pause);
  }

  resumed(what: PauseTarget): void {
    this.#pauses.delete(what);
  }
}
