import { isCancellation } from '../../core/errors.ts';
import { runId } from '../../core/ids.ts';
import { toHex } from '../../core/bytes.ts';
import type { OsLocks } from '../../core/os-lock.ts';
import { problemOf } from '../../core/problem.ts';
import { backupPbs, type BackupReport, type BackupTarget, type OpenRepository } from '../../engine/index.ts';
import { emptyResult } from '../empty-result.ts';
import type { EndState, RepositoryResult, TaskProblem, TaskResult } from '../task.ts';
import type { TargetAssignment } from './assignment.ts';
import { openAssigned, withLocks, type EngineAround } from './open.ts';
import { backupOptions } from './options.ts';
import type { BackupTaskAssignment, TaskContext, TaskKindRunner } from './task-kind.ts';
import { threadsFor } from './threads.ts';

export const backupRunner: TaskKindRunner<BackupTaskAssignment> = {
  run: (assignment, context) => withLocks((locks) => run(assignment, context, locks)),
};

interface OpenTarget {
  readonly repository: OpenRepository;
  readonly keep: BackupTarget['keep'];
}

async function run(assignment: BackupTaskAssignment, context: TaskContext, locks: OsLocks): Promise<TaskResult> {
  const startedMs = context.clock.monotonic();
  const around = aroundOf(assignment, context);
  const opened = new Map<string, OpenTarget>();
  const failed = new Map<string, RepositoryResult>();
  try {
    // Each repository is its own failure domain, from the opening on.
    for (const target of assignment.backup.targets) {
      const found = await openTarget(target, around, locks);
      if ('repository' in found) opened.set(target.name, found);
      else failed.set(target.name, found.failure);
    }
    const report = opened.size === 0 ? undefined : await backUp(assignment, context, [...opened.values()], locks);
    const durationMs = Math.round(context.clock.monotonic() - startedMs);
    return combined(assignment, report, failed, durationMs);
  } catch (error) {
    const state = isCancellation(error) || context.signal.aborted ? 'cancelled' : 'failed';
    const names = assignment.backup.targets.map(({ name }) => name);
    return emptyResult(state, names, problemOf(error), Math.round(context.clock.monotonic() - startedMs));
  } finally {
    for (const { repository } of opened.values()) await repository.close();
  }
}

function aroundOf(assignment: BackupTaskAssignment, context: TaskContext): EngineAround {
  const { clock, random, log, signal } = context;
  const { stateDirectory } = assignment;
  return { clock, random, log, signal, ...(stateDirectory === undefined ? {} : { stateDirectory }) };
}

async function openTarget(
  target: TargetAssignment,
  around: EngineAround,
  locks: OsLocks,
): Promise<OpenTarget | { readonly failure: RepositoryResult }> {
  try {
    return { repository: await openAssigned(target, around, locks), keep: target.keep };
  } catch (error) {
    const state = isCancellation(error) ? 'cancelled' : 'failed';
    const [failure] = emptyResult(state, [target.name], problemOf(error)).repositories;
    if (failure === undefined) throw error;
    around.log.error('repository.unopened', { repository: target.name, error: failure.problem?.message });
    return { failure };
  }
}

async function backUp(
  assignment: BackupTaskAssignment,
  context: TaskContext,
  targets: readonly OpenTarget[],
  osLocks: OsLocks,
): Promise<BackupReport> {
  const { backup, device } = assignment;
  const { source } = backup;
  const { allowDamaged, groups } = backupOptions(assignment.options);
  const report = await backupPbs({
    source: {
      type: 'pbs',
      datastore: source.datastore,
      include: groups ?? source.include,
      exclude: source.exclude,
      namespaces: source.namespaces,
      lockMaxMs: source.lockMaxMs,
    },
    repositories: targets,
    run: runId(toHex(context.random.bytes(16))),
    options: {
      backup: backup.name,
      device,
      timeZone: backup.timeZone,
      snapshots: source.snapshots,
      verify: source.verify,
      allowDamaged: allowDamaged ?? backup.allowDamaged,
      threads: threadsFor(backup.threads),
      clock: context.clock,
      logger: context.log,
      osLocks,
    },
    events: {
      progress: (progress) => {
        context.progress(progress);
      },
      warning: (problem) => {
        context.warning(problem);
      },
      committed: (repository, snapshots) => {
        context.log.info('repository.committed', { repository, snapshots });
      },
    },
    signal: context.signal,
  });
  for (const { repository } of targets) await settle(repository, context);
  return report;
}

/** What has left a gateway meanwhile; a store that does not answer now is asked again at the next backup. */
async function settle(repository: OpenRepository, context: TaskContext): Promise<void> {
  try {
    const state = await repository.settleOffsite(context.signal);
    context.log.debug('repository.offsite', { repository: repository.name, ...state });
  } catch (error) {
    context.log.warn('repository.offsite-unknown', { repository: repository.name, ...problemOf(error) });
  }
}

const worstFirst: readonly EndState[] = ['failed', 'cancelled', 'warning', 'done'];

/** One result for each repository, in the order of the configuration, and the worst of their states. */
function combined(
  assignment: BackupTaskAssignment,
  report: BackupReport | undefined,
  failed: ReadonlyMap<string, RepositoryResult>,
  durationMs: number,
): TaskResult {
  const repositories = assignment.backup.targets.flatMap(({ name }): readonly RepositoryResult[] => {
    const own = failed.get(name) ?? report?.repositories.find(({ repository }) => repository === name);
    return own === undefined ? [] : [own];
  });
  const states: readonly EndState[] = [...repositories.map(({ state }) => state), ...(report ? [report.state] : [])];
  const state = worstFirst.find((one) => states.includes(one)) ?? 'done';
  const problem: TaskProblem | undefined = report?.problem ?? repositories.find((one) => one.problem)?.problem;
  const why = problem === undefined ? {} : { problem };
  const names = repositories.map(({ repository }) => repository);
  if (report === undefined) return { ...emptyResult(state, names, undefined, durationMs), repositories, ...why };
  const { readBytes, items, chunks, warnings, moreWarnings, details } = report;
  return {
    ...{ state, repositories, durationMs, ...why },
    ...{ readBytes, items, chunks, warnings, moreWarnings, details: { ...details } },
  };
}
