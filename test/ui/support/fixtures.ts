/** A daemon's answers, as the page could meet them. Times are relative to `nowMs`. */
import type {
  BackupRepositoryView,
  EndedTaskView,
  LastResult,
  QueueView,
  RepositoryView,
  RunningTaskView,
  StatusView,
  TaskView,
  WaitingTaskView,
} from '../../../src/daemon/api/contract.ts';

const minute = 60_000;
const hour = 60 * minute;
const gib = 2 ** 30;

export interface Picture {
  readonly status: StatusView;
  readonly queue: QueueView;
  readonly tasks: readonly TaskView[];
}

function daemon(nowMs: number): StatusView['daemon'] {
  return {
    version: '0.1.0',
    device: 'pbs1',
    timeZone: 'Europe/Paris',
    startedMs: nowMs - 3 * 24 * hour,
    nowMs,
    stopping: false,
    concurrency: 2,
    configuration: { file: '/etc/nestegg/config.yml', loadedMs: nowMs - 3 * 24 * hour },
  };
}

function last(id: string, endedMs: number, rest: Partial<LastResult> = {}): LastResult {
  return {
    task: id,
    kind: 'backup',
    state: 'done',
    endedMs,
    durationMs: 4 * minute,
    storedBytes: 2.4 * gib,
    snapshots: 3,
    warnings: 0,
    ...rest,
  };
}

const line = (repository: string, state: BackupRepositoryView['state'], at?: LastResult): BackupRepositoryView => ({
  repository,
  state,
  ...(at === undefined ? {} : { last: at }),
  ...(at?.state === 'done' ? { committedMs: at.endedMs } : {}),
});

const repository = (
  name: string,
  kind: RepositoryView['kind'],
  location: string,
  state: RepositoryView['state'],
  committedMs?: number,
): RepositoryView => ({
  name,
  kind,
  location,
  state,
  readOnly: false,
  ...(committedMs === undefined ? {} : { committedMs, seenMs: committedMs, offsiteMs: committedMs - 20 * minute }),
});

export function runningTask(nowMs: number): RunningTaskView {
  return {
    id: 'T1',
    kind: 'backup',
    subject: { type: 'backup', backup: 'datacenter' },
    repositories: ['sia', 'ovh'],
    priority: 'superior',
    trigger: { kind: 'pbs' },
    attempt: 1,
    merged: 0,
    createdMs: nowMs - 7 * minute,
    state: 'running',
    startedMs: nowMs - 6 * minute,
    progress: {
      phase: 'upload',
      item: 'vm/100/2026-11-21T02:00:04Z/drive-scsi0.img.fidx',
      doneBytes: 18.2 * gib,
      totalBytes: 42.6 * gib,
      doneItems: 3,
      totalItems: 7,
      uploadedBytes: 6.3 * gib,
      bytesPerSecond: 48 * 2 ** 20,
    },
  };
}

function waiting(id: string, createdMs: number, rest: Partial<WaitingTaskView>): WaitingTaskView {
  return {
    id,
    kind: 'backup',
    subject: { type: 'backup', backup: 'grafana' },
    repositories: ['ovh', 'nas'],
    priority: 0,
    trigger: { kind: 'interval', detail: '1h' },
    attempt: 1,
    merged: 0,
    createdMs,
    state: 'queued',
    ...rest,
  };
}

function ended(id: string, endedMs: number, rest: Partial<EndedTaskView>): EndedTaskView {
  return {
    id,
    kind: 'backup',
    subject: { type: 'backup', backup: 'grafana' },
    repositories: ['ovh', 'nas'],
    priority: 0,
    trigger: { kind: 'cron', detail: '0 3 * * *' },
    attempt: 1,
    merged: 0,
    createdMs: endedMs - 5 * minute,
    startedMs: endedMs - 4 * minute,
    endedMs,
    state: 'done',
    result: {
      state: 'done',
      repositories: [result('ovh'), result('nas')],
      readBytes: 6.4 * gib,
      items: 812,
      chunks: 1640,
      durationMs: 4 * minute,
      warnings: [],
      moreWarnings: 0,
    },
    ...rest,
  };
}

function result(name: string): EndedTaskView['result']['repositories'][number] {
  return {
    repository: name,
    state: 'done',
    storedBytes: 1.2 * gib,
    storedPacks: 30,
    newBlobs: 410,
    snapshots: ['4f2c9a7b5a5d5e0f8e9b0c1d2e3f4a5b'],
  };
}

function fullTasks(nowMs: number): TaskView[] {
  const done = ended('E1', nowMs - 12 * minute, {});
  const failed = ended('E3', nowMs - 3 * hour, {
    subject: { type: 'backup', backup: 'database' },
    state: 'failed',
    result: {
      ...done.result,
      state: 'failed',
      repositories: [
        result('nas'),
        {
          ...result('ovh'),
          state: 'failed',
          snapshots: [],
          problem: {
            code: 'storage.unreachable',
            message: 'putting packs/3f/3fa8 at s3.gra.io.cloud.ovh.net failed: connection refused',
            hint: 'Check the network and the endpoint; the next run goes on where this one stopped.',
          },
        },
      ],
    },
  });
  const warned = ended('E2', nowMs - 47 * minute, {
    subject: { type: 'backup', backup: 'datacenter' },
    state: 'warning',
    result: {
      ...done.result,
      state: 'warning',
      warnings: [
        {
          code: 'pbs.chunk',
          message:
            'vm/104/2026-11-20T02:00:01Z was not committed: chunk 9c51…e2 of drive-scsi0.img.fidx (index 4123) is missing',
        },
      ],
      moreWarnings: 3,
    },
  });
  const check = ended('E4', nowMs - 9 * hour, {
    kind: 'check',
    subject: { type: 'repository', repository: 'sia' },
    repositories: ['sia'],
    result: { ...done.result, readBytes: 212 * gib, repositories: [], durationMs: 96 * minute },
  });
  return [done, warned, failed, check];
}

/** Three backups, three repositories, everything going on at once. */
export function full(nowMs: number): Picture {
  const running = [runningTask(nowMs)];
  const good = last('E1', nowMs - 12 * minute);
  const warned = last('E2', nowMs - 47 * minute, { state: 'warning', warnings: 4 });
  const failed = last('E3', nowMs - 3 * hour, {
    state: 'failed',
    problem: { code: 'storage.unreachable', message: 'connection refused', hint: 'Check the network.' },
  });
  return {
    status: {
      daemon: daemon(nowMs),
      backups: [
        {
          name: 'datacenter',
          source: { type: 'pbs', label: '/mnt/datastore/main' },
          state: 'running',
          priority: 'superior',
          schedules: ['1d', '0 3 * * *'],
          watched: true,
          nextFireMs: nowMs + 4 * hour,
          task: 'T1',
          last: warned,
          repositories: [line('sia', 'running', last('E2', nowMs - 47 * minute)), line('ovh', 'warning', warned)],
        },
        {
          name: 'grafana',
          source: { type: 'files', label: '/var/lib/grafana' },
          state: 'queued',
          priority: 10,
          schedules: ['1h'],
          watched: false,
          nextFireMs: nowMs + 34 * minute,
          task: 'W1',
          last: good,
          repositories: [line('ovh', 'done', good), line('nas', 'done', good)],
        },
        {
          name: 'database',
          source: { type: 'command', label: 'pg_dump' },
          state: 'failed',
          priority: 0,
          schedules: ['0 * * * *'],
          watched: false,
          nextFireMs: nowMs + 13 * minute,
          last: failed,
          repositories: [line('ovh', 'failed', failed), line('nas', 'done', last('E3', nowMs - 3 * hour))],
        },
        {
          name: 'photographs-of-the-last-twenty-years',
          source: { type: 'files', label: '/srv/photos' },
          state: 'never',
          priority: 'on-idle',
          schedules: [],
          watched: true,
          repositories: [line('nas', 'never')],
        },
      ],
      repositories: [
        repository('sia', 'sia', 's3://127.0.0.1:8080/nestegg/pbs1/', 'running', nowMs - 47 * minute),
        repository('ovh', 's3', 's3://s3.gra.io.cloud.ovh.net/nestegg/', 'failed', nowMs - 12 * minute),
        repository('nas', 'filesystem', 'file:///mnt/nas/nestegg', 'done', nowMs - 12 * minute),
      ],
      running,
      waiting: 2,
    },
    queue: {
      running,
      waiting: [
        waiting('W1', nowMs - 2 * minute, {
          merged: 2,
          waiting: { reason: 'collision', task: running[0]?.id as never, on: 'ovh' },
        }),
        waiting('W2', nowMs - minute, {
          kind: 'check',
          subject: { type: 'repository', repository: 'nas' },
          priority: 'inferior',
          waiting: { reason: 'behind', tasksAhead: 1 },
        }),
      ],
      slots: { used: 1, total: 2 },
      pauses: [{ what: 'repository sia', by: 'admin', sinceMs: nowMs - 5 * minute }],
    },
    tasks: [...running, ...fullTasks(nowMs)],
  };
}

/** A new installation: nothing configured, nothing ran. */
export function empty(nowMs: number): Picture {
  return {
    status: { daemon: daemon(nowMs), backups: [], repositories: [], running: [], waiting: 0 },
    queue: { running: [], waiting: [], slots: { used: 0, total: 2 }, pauses: [] },
    tasks: [],
  };
}

/** All is well and nothing runs. */
export function calm(nowMs: number): Picture {
  const picture = full(nowMs);
  const good = last('E1', nowMs - 12 * minute);
  return {
    status: {
      ...picture.status,
      backups: picture.status.backups.map(({ task: _, ...backup }) => ({
        ...backup,
        state: 'done',
        last: good,
        repositories: backup.repositories.map(({ repository: name }) => line(name, 'done', good)),
      })),
      repositories: picture.status.repositories.map((one) => ({ ...one, state: 'done' })),
      running: [],
      waiting: 0,
    },
    queue: { running: [], waiting: [], slots: { used: 0, total: 2 }, pauses: [] },
    tasks: [ended('E1', nowMs - 12 * minute, {})],
  };
}
