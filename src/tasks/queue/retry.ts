/** Which work is repeated, and when. Pure but for the jitter. */
import type { Random } from '../../core/random.ts';
import type { EndedTask, RepositoryResult, RunningTask, TaskKind, TaskRequest, TaskResult, Trigger } from '../task.ts';

const firstDelayMs = 60_000;
const longestDelayMs = 3_600_000;

/**
 * Whether a task that was cut off is started again by itself. What a person waits for is not: the target of a restore
 * may be half written, and a probe is asked for again in a moment.
 */
const resumable: Readonly<Record<TaskKind, boolean>> = {
  backup: true,
  restore: false,
  prune: true,
  gc: true,
  check: true,
  copy: true,
  repair: true,
  'rebuild-index': true,
  measure: true,
  drill: true,
  probe: false,
};

/** A minute, four, sixteen, then an hour each time; up to a fifth less, so that many failures do not return together. */
export function retryDelayMs(attempt: number, random: Random): number {
  const delay = Math.min(longestDelayMs, firstDelayMs * 4 ** Math.min(attempt - 1, 10));
  return delay - random.below(Math.floor(delay / 5));
}

/**
 * The request that repeats what failed and may go well later, or `undefined`. A problem of one repository repeats that
 * one; a problem of the task as a whole repeats every repository that did not get its result.
 */
export function retryRequest(task: RunningTask, result: TaskResult): TaskRequest | undefined {
  if (result.state !== 'failed' || task.attempt > task.request.retries) return undefined;
  const wholeTask = result.problem?.retry === 'later';
  const repositories = task.request.repositories.filter((name) => {
    const own = result.repositories.find((entry) => entry.repository === name);
    return own ? isWorthRepeating(own, wholeTask) : wholeTask;
  });
  if (repositories.length === 0 && !(wholeTask && task.request.repositories.length === 0)) return undefined;
  return { ...task.request, repositories, trigger: { kind: 'retry', detail: task.id } };
}

/**
 * The request that goes on with a task cut off by the end of the daemon, for the repositories that had not got their
 * result; at most one in a row after a crash, because the task may be what crashes the daemon.
 */
export function resumeRequest(task: RunningTask, interruptions: number, result?: TaskResult): TaskRequest | undefined {
  if (!resumable[task.request.kind] || interruptions > 0) return undefined;
  const finished = new Set(result?.repositories.filter(isFinished).map((entry) => entry.repository));
  const repositories = task.request.repositories.filter((name) => !finished.has(name));
  if (repositories.length === 0 && finished.size > 0) return undefined;
  return { ...task.request, repositories, trigger: { kind: 'retry', detail: task.id } };
}

function isFinished(result: RepositoryResult): boolean {
  return result.state === 'done' || result.state === 'warning';
}

function isWorthRepeating(result: RepositoryResult, wholeTask: boolean): boolean {
  if (isFinished(result)) return false;
  return result.problem ? result.problem.retry === 'later' : wholeTask;
}

/**
 * The request that a person repeats: of an ended task, the repositories that did not get their result, or all of them
 * when all did. @param trigger who asked
 */
export function repeatRequest(task: EndedTask, trigger: Trigger): TaskRequest {
  const finished = new Set(task.result.repositories.filter(isFinished).map((entry) => entry.repository));
  const failed = task.request.repositories.filter((name) => !finished.has(name));
  return { ...task.request, repositories: failed.length > 0 ? failed : task.request.repositories, trigger };
}
