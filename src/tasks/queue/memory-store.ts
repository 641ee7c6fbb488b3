/** The queue in memory: the second implementation of the contract, for tests and for work without a daemon. */
import { NotFoundError, UsageError } from '../../core/errors.ts';
import type { TaskId } from '../../core/ids.ts';
import type { EndedTask, Priority, RunningTask, Task, WaitingTask } from '../task.ts';
import { merged, mergeKey } from './merge.ts';
import { movedTo, type Placed } from './order.ts';
import type {
  Ended,
  Ending,
  Enqueued,
  ForgetQuery,
  HistoryQuery,
  Interrupted,
  LiveTasks,
  NewTask,
  Pause,
  PauseTarget,
  Place,
  QueueStore,
  Synchronous,
  Waiting,
} from './store.ts';

interface Kept {
  task: Task;
  position: number;
  readonly interruptions: number;
  boot: string;
}

export class MemoryQueueStore implements Synchronous<QueueStore> {
  readonly #tasks = new Map<TaskId, Kept>();
  readonly #fires = new Map<string, { readonly task: TaskId; readonly firedMs: number }>();
  readonly #pauses = new Map<PauseTarget, Pause>();
  /** Waiting tasks by what they merge with. */
  readonly #equals = new Map<string, TaskId>();
  #last = 0;

  interrupted(boot: string): readonly Interrupted[] {
    return [...this.#tasks.values()]
      .filter((kept) => kept.boot !== boot)
      .flatMap(({ task, interruptions }) => (isRunning(task) ? [{ task, interruptions }] : []))
      .sort((a, b) => byStart(a.task, b.task));
  }

  live(): LiveTasks {
    return {
      waiting: this.#waiting(),
      running: [...this.#tasks.values()].flatMap(({ task }) => (isRunning(task) ? [task] : [])).sort(byStart),
      pauses: [...this.#pauses.values()].sort((a, b) => a.sinceMs - b.sinceMs || (a.what < b.what ? -1 : 1)),
    };
  }

  enqueue(incoming: NewTask): Enqueued {
    const before = incoming.fireKey === undefined ? undefined : this.#fires.get(incoming.fireKey);
    if (before) return { outcome: 'duplicate', task: before.task };
    const key = mergeKey(incoming.request);
    const equal = this.#equal(key);
    const task = equal ? merged(equal.task, incoming) : newWaiting(incoming);
    const position = equal ? equal.position : ++this.#last;
    const interruptions = this.#tasks.get(task.id)?.interruptions ?? incoming.interruptions;
    this.#tasks.set(task.id, { task, position, interruptions, boot: '' });
    this.#equals.set(key, task.id);
    if (incoming.fireKey !== undefined) {
      this.#fires.set(incoming.fireKey, { task: task.id, firedMs: incoming.createdMs });
    }
    return { outcome: equal ? 'merged' : 'queued', waiting: { task, position } };
  }

  start(id: TaskId, startedMs: number, boot: string): RunningTask {
    const kept = this.#kept(id);
    if (kept.task.state !== 'queued') throw wrongState(kept.task, 'queued');
    const { notBeforeMs: _, ...rest } = kept.task;
    const task: RunningTask = { ...rest, state: 'running', startedMs };
    Object.assign(kept, { task, boot });
    return task;
  }

  abort(id: TaskId): RunningTask {
    const kept = this.#kept(id);
    if (!isRunning(kept.task)) throw wrongState(kept.task, 'running');
    const task: RunningTask = { ...kept.task, state: 'aborting' };
    kept.task = task;
    return task;
  }

  end(id: TaskId, { endedMs, result, repeat }: Ending): Ended {
    const kept = this.#kept(id);
    if (isEnded(kept.task)) throw wrongState(kept.task, 'queued or running');
    const { request, attempt, createdMs, merged: merges } = kept.task;
    const task: EndedTask = {
      ...{ id, request, attempt, createdMs, merged: merges, state: result.state, endedMs, result },
      ...(kept.task.state === 'queued' ? {} : { startedMs: kept.task.startedMs }),
    };
    kept.task = task;
    return repeat ? { task, repeat: this.enqueue(repeat) } : { task };
  }

  move(id: TaskId, place: Place): readonly Waiting[] {
    const moves = movedTo(id, place, this.#placed());
    if (moves.length === 0) {
      const anchor = place === 'first' || place === 'last' ? id : 'before' in place ? place.before : place.after;
      const { task } = this.#kept(id);
      throw wrongState(task.state === 'queued' ? this.#kept(anchor).task : task, 'queued');
    }
    return moves.map((move) => this.#place(move));
  }

  setPriority(id: TaskId, priority: Priority): Waiting {
    this.#kept(id);
    return this.#place({ id, priority, position: ++this.#last });
  }

  get(id: TaskId): Task | undefined {
    return this.#tasks.get(id)?.task;
  }

  history(query: HistoryQuery): readonly EndedTask[] {
    const ended = [...this.#tasks.values()].flatMap(({ task }) => (isEnded(task) ? [task] : [])).sort(newestFirst);
    let from = 0;
    if (query.before !== undefined) {
      const last = this.#kept(query.before).task;
      if (!isEnded(last)) throw wrongState(last, 'ended');
      from = ended.indexOf(last) + 1;
    }
    return ended
      .slice(from)
      .filter((task) => matches(task, query))
      .slice(0, query.limit);
  }

  forget({ endedBeforeMs, firedBeforeMs, limit }: ForgetQuery): number {
    const fires = [...this.#fires].filter(([, { firedMs }]) => firedMs < firedBeforeMs);
    fires.sort(([, a], [, b]) => a.firedMs - b.firedMs);
    for (const [key] of fires.slice(0, limit)) this.#fires.delete(key);
    const old = [...this.#tasks.values()].flatMap(({ task }) =>
      isEnded(task) && task.endedMs < endedBeforeMs ? [task] : [],
    );
    const gone = old.sort(newestFirst).reverse().slice(0, limit);
    for (const { id } of gone) this.#tasks.delete(id);
    return gone.length;
  }

  pause(pause: Pause): Pause {
    const before = this.#pauses.get(pause.what);
    if (!before) this.#pauses.set(pause.what, pause);
    return before ?? pause;
  }

  resume(what: PauseTarget): boolean {
    return this.#pauses.delete(what);
  }

  #equal(key: string): Waiting | undefined {
    const id = this.#equals.get(key);
    const kept = id === undefined ? undefined : this.#tasks.get(id);
    return kept?.task.state === 'queued' ? { task: kept.task, position: kept.position } : undefined;
  }

  #waiting(): readonly Waiting[] {
    return [...this.#tasks.values()]
      .flatMap(({ task, position }) => (task.state === 'queued' ? [{ task, position }] : []))
      .sort((a, b) => a.position - b.position);
  }

  #placed(): readonly Placed[] {
    return this.#waiting().map(({ task, position }) => ({ id: task.id, priority: task.request.priority, position }));
  }

  #place({ id, priority, position }: Placed): Waiting {
    const kept = this.#kept(id);
    if (kept.task.state !== 'queued') throw wrongState(kept.task, 'queued');
    const task: WaitingTask = { ...kept.task, request: { ...kept.task.request, priority } };
    Object.assign(kept, { task, position });
    return { task, position };
  }

  #kept(id: TaskId): Kept {
    const kept = this.#tasks.get(id);
    if (!kept) throw new NotFoundError(`there is no task ${id}`);
    return kept;
  }
}

function newWaiting({ id, request, attempt, createdMs, notBeforeMs }: NewTask): WaitingTask {
  const task: WaitingTask = { id, request, attempt, createdMs, merged: 0, state: 'queued' };
  return notBeforeMs === undefined ? task : { ...task, notBeforeMs };
}

function isRunning(task: Task): task is RunningTask {
  return task.state === 'running' || task.state === 'aborting';
}

function isEnded(task: Task): task is EndedTask {
  return 'endedMs' in task;
}

function wrongState(task: Task, expected: string): Error {
  return new UsageError(`the task ${task.id} is ${task.state}, not ${expected}`);
}

function byStart(a: RunningTask, b: RunningTask): number {
  return a.startedMs - b.startedMs || (a.id < b.id ? -1 : 1);
}

function newestFirst(a: EndedTask, b: EndedTask): number {
  return b.endedMs - a.endedMs || (a.id < b.id ? 1 : -1);
}

function matches(task: EndedTask, query: HistoryQuery): boolean {
  const { subject, repositories, kind } = task.request;
  if (query.backup !== undefined && !(subject.type === 'backup' && subject.backup === query.backup)) return false;
  if (query.kind !== undefined && kind !== query.kind) return false;
  if (query.repository !== undefined && !repositories.includes(query.repository)) return false;
  return query.states === undefined || query.states.includes(task.state);
}
