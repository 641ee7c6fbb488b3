/** What is asked for, by a client or by a trigger, as a request to the queue. Pure. */
import { isAbsolute, join, relative, resolve } from 'node:path';
import { UsageError } from '../core/errors.ts';
import type { Fire } from '../triggers/trigger.ts';
import type { TaskRequest, Trigger } from '../tasks/task.ts';
import type { RunRequest } from './api/contract.ts';
import { backupConfig, repositoryAssignment } from './config/assignments.ts';
import type { BackupConfig, Config } from './config/config.ts';

export interface Asker {
  readonly trigger: Trigger;
  /** Connected by the socket of the daemon's own user: may name any folder. */
  readonly local: boolean;
}

/** @throws NotFoundError for unknown names, UsageError when the request does not fit the configuration. */
export function requestFor(run: RunRequest, asker: Asker, config: Config): TaskRequest {
  const { trigger } = asker;
  if (run.kind === 'backup') return backupRequest(run, trigger, config);
  const { kind, repository, priority, ...rest } = run;
  const { readOnly } = repositoryAssignment(config, repository);
  if (kind === 'rebuild-index' && readOnly) {
    throw new UsageError(`the repository ${repository} is read-only, so its index cannot be rebuilt`);
  }
  if (run.kind === 'restore' && !asker.local) checkTarget(run.target.directory, config);
  return {
    kind,
    subject: { type: 'repository', repository },
    repositories: [repository],
    priority: priority ?? 0,
    trigger,
    options: rest,
    retries: 0,
  };
}

/** What a scheduled or watched backup asks for. */
export function scheduledBackup(backup: BackupConfig, fire: Fire): TaskRequest {
  return {
    kind: 'backup',
    subject: { type: 'backup', backup: backup.name },
    repositories: backup.repositories.map(({ name }) => name),
    priority: backup.priority,
    trigger: triggerOf(fire),
    options: {},
    retries: backup.limits.retries,
  };
}

/** What a scheduled check asks for: its structure; all data is read on request. */
export function scheduledCheck(config: Config, repository: string, fire: Fire): TaskRequest {
  return {
    kind: 'check',
    subject: { type: 'repository', repository },
    repositories: [repository],
    priority: config.repositories[repository]?.check.priority ?? 0,
    trigger: triggerOf(fire),
    options: { mode: 'structure' },
    retries: 0,
  };
}

function triggerOf(fire: Fire): Trigger {
  return {
    kind: fire.kind,
    detail: fire.detail,
    ...(fire.dueMs === undefined ? {} : { dueMs: fire.dueMs }),
  };
}

function backupRequest(run: Extract<RunRequest, { kind: 'backup' }>, trigger: Trigger, config: Config): TaskRequest {
  const { kind, backup: name, to, priority, dryRun, full, ...options } = run;
  const backup = backupConfig(config, name);
  if (dryRun === true) throw new UsageError('a dry run of a backup is not available yet');
  if (full === true) throw new UsageError('a full backup is not available yet');
  const names = backup.repositories.map((repository) => repository.name);
  const unknown = (to ?? []).filter((wanted) => !names.includes(wanted));
  if (unknown.length > 0) {
    const hint = `Its repositories are: ${names.join(', ')}.`;
    throw new UsageError(`the backup ${name} does not go to ${unknown.join(', ')}`, { hint });
  }
  return {
    kind,
    subject: { type: 'backup', backup: name },
    repositories: names.filter((one) => to === undefined || to.includes(one)),
    priority: priority ?? backup.priority,
    trigger,
    options,
    retries: backup.limits.retries,
  };
}

/** A request that any page or program of this machine could send writes only below one folder. */
function checkTarget(directory: string, config: Config): void {
  const root = join(config.daemon.state, 'restore');
  if (isWithin(resolve(directory), root)) return;
  throw new UsageError(`${directory} does not lie within ${root}`, {
    hint: 'Elsewhere only the command line restores, on this machine.',
  });
}

function isWithin(path: string, root: string): boolean {
  const way = relative(root, path);
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
}
