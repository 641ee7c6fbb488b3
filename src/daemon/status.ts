/** The status of everything, from what is configured, what is known, and what waits and runs. Pure. */
import { assertNever } from '../core/assert.ts';
import { collisionKeys } from '../tasks/queue/collisions.ts';
import type { QueueState } from '../tasks/queue/pick.ts';
import type { TaskId } from '../core/ids.ts';
import type { RunningTask, TaskProgress, WaitingTask } from '../tasks/task.ts';
import type {
  BackupRepositoryView,
  BackupView,
  DaemonView,
  RepositoryView,
  RunningTaskView,
  StatusView,
  SubjectState,
} from './api/contract.ts';
import type { BackupConfig, Config, RepositoryConfig } from './config/config.ts';
import type { Results } from './results.ts';
import { taskView } from './views.ts';

export interface StatusInput {
  readonly daemon: DaemonView;
  readonly config: Config;
  readonly results: Results;
  readonly queue: QueueState;
  readonly progress: ReadonlyMap<TaskId, TaskProgress>;
  /** The earliest time at which a schedule of the backup fires. */
  readonly nextFireMs: (backup: string) => number | undefined;
}

export function statusView(input: StatusInput): StatusView {
  return {
    daemon: input.daemon,
    backups: Object.values(input.config.backups).map((backup) => backupView(backup, input)),
    repositories: Object.values(input.config.repositories).map((repository) => repositoryView(repository, input)),
    running: input.queue.running.map((task) => runningView(task, input.progress)),
    waiting: input.queue.waiting.length,
  };
}

export function runningView(task: RunningTask, progress: ReadonlyMap<TaskId, TaskProgress>): RunningTaskView {
  const view = taskView(task, { progress: progress.get(task.id) });
  if (view.state !== 'running' && view.state !== 'aborting') throw new TypeError('a running task has no running state');
  return view;
}

function backupView(backup: BackupConfig, input: StatusInput): BackupView {
  const key = `backup ${backup.name}`;
  const last = input.results.backup(backup.name);
  const live = liveTask(key, input.queue);
  const next = input.nextFireMs(backup.name);
  return {
    name: backup.name,
    source: { type: backup.source.type, label: backup.source.datastore },
    state: stateOf([key], input.queue, last?.state),
    priority: backup.priority,
    schedules: backup.schedules.map(({ text }) => text),
    watched: backup.watch !== undefined,
    ...(next === undefined ? {} : { nextFireMs: next }),
    ...(live === undefined ? {} : { task: live.id }),
    ...(last === undefined ? {} : { last }),
    repositories: backup.repositories.map(({ name }) => pairView(backup.name, name, input)),
  };
}

function pairView(backup: string, repository: string, input: StatusInput): BackupRepositoryView {
  const { last, committedMs } = input.results.pair(backup, repository);
  const live = liveTask(`backup ${backup}`, input.queue);
  const involved = live?.request.repositories.includes(repository) === true;
  const keys = involved ? [`backup ${backup}`] : [];
  return {
    repository,
    state: stateOf(keys, input.queue, last?.state, [`backup ${backup}`, `repository ${repository}`]),
    ...(last === undefined ? {} : { last }),
    ...(committedMs === undefined ? {} : { committedMs }),
  };
}

function repositoryView(repository: RepositoryConfig, input: StatusInput): RepositoryView {
  const { last, seenMs, committedMs } = input.results.repository(repository.name);
  // What a disk or a plain S3 store confirmed has left this program for good; a gateway of Sia may still hold it.
  const offsiteMs = repository.type === 'sia' ? undefined : committedMs;
  return {
    name: repository.name,
    kind: repository.type,
    location: locationText(repository),
    readOnly: repository.readOnly,
    state: stateOf([`repository ${repository.name}`], input.queue, last?.state),
    ...(last === undefined ? {} : { last }),
    ...(seenMs === undefined ? {} : { seenMs }),
    ...(committedMs === undefined ? {} : { committedMs }),
    ...(offsiteMs === undefined ? {} : { offsiteMs }),
  };
}

/** A running task before a waiting one: what happens now before what comes. */
function liveTask(key: string, queue: QueueState): RunningTask | WaitingTask | undefined {
  const holds = (task: RunningTask | WaitingTask): boolean => collisionKeys(task.request).has(key);
  return queue.running.find(holds) ?? queue.waiting.find(holds);
}

function stateOf(
  keys: readonly string[],
  queue: QueueState,
  last: SubjectState | undefined,
  pauseKeys: readonly string[] = keys,
): SubjectState {
  for (const key of keys) {
    const live = liveTask(key, queue);
    if (live && live.state !== 'queued') return live.state;
  }
  const paused = queue.pauses.some(({ what }) => what === 'queue' || pauseKeys.includes(what));
  if (paused) return 'paused';
  if (keys.some((key) => liveTask(key, queue) !== undefined)) return 'queued';
  return last ?? 'never';
}

/** Where it lies, without credentials. */
export function locationText(repository: RepositoryConfig): string {
  switch (repository.type) {
    case 'filesystem':
      return `file://${repository.path}`;
    case 's3':
    case 'sia':
      return `${repository.type}://${new URL(repository.endpoint).host}/${repository.bucket}/${repository.prefix}`;
    default:
      return assertNever(repository);
  }
}
