/** The API's service over the queue, the readers and what the daemon knows. */
import type { Clock } from '../core/clock.ts';
import { NotFoundError, UsageError } from '../core/errors.ts';
import { taskId, type TaskId } from '../core/ids.ts';
import type { ReaderHost } from '../tasks/process/reader-host.ts';
import type { TaskQueue } from '../tasks/queue/task-queue.ts';
import type { EndState, Priority, Task, TaskProgress, TaskState } from '../tasks/task.ts';
import type {
  ConfigurationView,
  DaemonView,
  MoveRequest,
  PauseTarget,
  PauseView,
  QueueView,
  RunAnswer,
  RunRequest,
  SnapshotDetails,
  SnapshotPage,
  SnapshotQuery,
  StatusView,
  TaskLog,
  TaskPage,
  TaskQuery,
  TaskView,
} from './api/contract.ts';
import type { ApiService, Caller } from './api/service.ts';
import { repositoryAssignment } from './config/assignments.ts';
import type { Config } from './config/config.ts';
import { requestFor } from './requests.ts';
import type { Results } from './results.ts';
import { snapshotPage } from './snapshot-pages.ts';
import { runningView, statusView } from './status.ts';
import type { TaskLogs } from './task-logs.ts';
import { taskView } from './views.ts';

export interface ServiceParts {
  readonly queue: TaskQueue;
  readonly readers: ReaderHost;
  readonly results: Results;
  readonly logs: TaskLogs;
  readonly progress: ReadonlyMap<TaskId, TaskProgress>;
  readonly clock: Clock;
  readonly config: () => Config;
  readonly daemon: () => DaemonView;
  readonly nextFireMs: (backup: string) => number | undefined;
  readonly reload: () => Promise<ConfigurationView>;
}

const defaultTasks = 50;

export class DaemonService implements ApiService {
  readonly #parts: ServiceParts;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  async status(): Promise<StatusView> {
    const { queue, results, progress, nextFireMs } = this.#parts;
    const config = this.#parts.config();
    return statusView({ daemon: this.#parts.daemon(), config, results, queue: queue.state(), progress, nextFireMs });
  }

  async queue(): Promise<QueueView> {
    const { queue, progress } = this.#parts;
    const state = queue.state();
    const reasons = queue.whyAll();
    return {
      running: state.running.map((task) => runningView(task, progress)),
      waiting: state.waiting.map((task) => {
        const view = taskView(task, { waiting: reasons.get(task.id) });
        if (view.state !== 'queued') throw new TypeError('a waiting task is not queued');
        return view;
      }),
      slots: { used: state.running.length, total: state.slots },
      pauses: state.pauses,
    };
  }

  /** The first page also has the tasks that wait and run. */
  async tasks(query: TaskQuery): Promise<TaskPage> {
    const limit = query.limit ?? defaultTasks;
    const live = query.cursor === undefined ? this.#liveTasks(query) : [];
    if (isLive(query.state)) return { tasks: live };
    const history = await this.#parts.queue.history({
      limit: limit + 1,
      ...(query.cursor === undefined ? {} : { before: checkedId(query.cursor) }),
      ...(query.backup === undefined ? {} : { backup: query.backup }),
      ...(query.repository === undefined ? {} : { repository: query.repository }),
      ...(query.kind === undefined ? {} : { kind: query.kind }),
      ...(query.state === undefined ? {} : { states: [query.state as EndState] }),
    });
    const page = history.slice(0, limit);
    const last = page.at(-1);
    const next = history.length > limit && last ? { next: last.id } : {};
    return { tasks: [...live, ...page.map((task) => taskView(task))], ...next };
  }

  async task(id: string): Promise<TaskView> {
    return this.#view(await this.#parts.queue.get(checkedId(id)));
  }

  async log(id: string): Promise<TaskLog> {
    const task = await this.#parts.queue.get(checkedId(id));
    return this.#parts.logs.read(task.id);
  }

  async run(request: RunRequest, caller: Caller): Promise<RunAnswer> {
    this.#refuseWhenStopping();
    const asker = { trigger: { kind: caller.trigger, detail: caller.name }, local: caller.local };
    const { outcome, task } = await this.#parts.queue.enqueue(requestFor(request, asker, this.#parts.config()));
    return { task: this.#view(task), merged: outcome !== 'queued' };
  }

  async cancel(id: string, caller: Caller): Promise<TaskView> {
    return this.#view(await this.#parts.queue.cancel(checkedId(id), caller.name));
  }

  async retry(id: string, caller: Caller): Promise<RunAnswer> {
    this.#refuseWhenStopping();
    const trigger = { kind: caller.trigger, detail: id };
    const { outcome, task } = await this.#parts.queue.repeat(checkedId(id), trigger);
    return { task: this.#view(task), merged: outcome !== 'queued' };
  }

  async move(id: string, { place }: MoveRequest): Promise<TaskView> {
    const checked =
      typeof place === 'string'
        ? place
        : 'before' in place
          ? { before: checkedId(place.before) }
          : { after: checkedId(place.after) };
    return this.#view(await this.#parts.queue.move(checkedId(id), checked));
  }

  async setPriority(id: string, priority: Priority): Promise<TaskView> {
    return this.#view(await this.#parts.queue.setPriority(checkedId(id), priority));
  }

  async pause(what: PauseTarget, caller: Caller): Promise<PauseView> {
    this.#checkPauseTarget(what);
    return this.#parts.queue.pause(what, caller.name);
  }

  async resume(what: PauseTarget): Promise<QueueView> {
    await this.#parts.queue.resume(what);
    return this.queue();
  }

  async snapshots(repository: string, query: SnapshotQuery): Promise<SnapshotPage> {
    const assignment = repositoryAssignment(this.#parts.config(), repository);
    const rows = await this.#parts.readers.ask(assignment, { type: 'snapshots' });
    return snapshotPage(repository, rows, query);
  }

  async snapshot(repository: string, id: string): Promise<SnapshotDetails> {
    const assignment = repositoryAssignment(this.#parts.config(), repository);
    return { ...(await this.#parts.readers.ask(assignment, { type: 'snapshot', id })), repository };
  }

  async reload(): Promise<ConfigurationView> {
    return this.#parts.reload();
  }

  #view(task: Task): TaskView {
    return taskView(task, { progress: this.#parts.progress.get(task.id), waiting: this.#parts.queue.why(task.id) });
  }

  #liveTasks(query: TaskQuery): readonly TaskView[] {
    const { waiting, running } = this.#parts.queue.state();
    const newestFirst: readonly Task[] = [...running, ...waiting].sort((a, b) => b.createdMs - a.createdMs);
    return newestFirst.filter((task) => fits(task, query)).map((task) => this.#view(task));
  }

  #refuseWhenStopping(): void {
    if (this.#parts.daemon().stopping) throw new UsageError('the daemon is stopping');
  }

  /** A pause of a name that no configuration knows would hold nothing, for ever. */
  #checkPauseTarget(what: PauseTarget): void {
    if (what === 'queue') return;
    const config = this.#parts.config();
    const [type, ...rest] = what.split(' ');
    const known: Readonly<Record<string, unknown>> = type === 'backup' ? config.backups : config.repositories;
    if (!Object.hasOwn(known, rest.join(' '))) throw new NotFoundError(`there is no ${what} in the configuration`);
  }
}

function checkedId(text: string): TaskId {
  try {
    return taskId(text);
  } catch (cause) {
    throw new NotFoundError(`there is no task ${text}`, { cause });
  }
}

function isLive(state: TaskState | undefined): boolean {
  return state === 'queued' || state === 'running' || state === 'aborting';
}

function fits(task: Task, query: TaskQuery): boolean {
  const { kind, subject, repositories } = task.request;
  return (
    (query.kind === undefined || query.kind === kind) &&
    (query.state === undefined || query.state === task.state) &&
    (query.backup === undefined || (subject.type === 'backup' && subject.backup === query.backup)) &&
    (query.repository === undefined || repositories.includes(query.repository))
  );
}
