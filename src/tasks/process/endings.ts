/** How a task ends when its process did not say so itself, or said so because it was stopped. */
import { emptyResult } from '../empty-result.ts';
import type { EndState, TaskProblem, TaskResult } from '../task.ts';
import type { ChildEnd } from './child.ts';
import type { StopReason } from './messages.ts';

export interface EndedRun {
  /** Every repository of the task. */
  readonly repositories: readonly string[];
  readonly durationMs: number;
}

/** The process ended by itself, without a result. */
export function crashResult(end: ChildEnd, run: EndedRun): TaskResult {
  const problem: TaskProblem = {
    code: 'task.crashed',
    retry: 'later',
    message: `the process of the task ended without a result: ${howItEnded(end)}`,
    hint: crashHint(end),
    context: { exitCode: end.exitCode ?? null, signal: end.signal ?? null, lastWords: end.lastWords },
  };
  return emptyResult('failed', run.repositories, problem, run.durationMs);
}

function howItEnded(end: ChildEnd): string {
  if (end.failure !== undefined) return `it could not be started (${end.failure})`;
  if (end.signal !== undefined) return `signal ${end.signal}`;
  return `exit code ${String(end.exitCode ?? 'unknown')}`;
}

function crashHint(end: ChildEnd): string {
  if (end.signal === 'SIGKILL') {
    return 'Often the kernel ran out of memory: `journalctl -k` tells. Fewer `limits.threads` need less.';
  }
  if (end.lastWords.includes('heap out of memory')) return 'The heap of the process was too small for this task.';
  return 'What it wrote last stands in `lastWords`. What was committed before stays; the next run goes on from there.';
}

const endOf: Readonly<Record<StopReason, { readonly state: EndState; readonly problem: TaskProblem }>> = {
  cancel: { state: 'cancelled', problem: { code: 'cancelled', message: 'stopped on request' } },
  shutdown: {
    state: 'interrupted',
    problem: { code: 'cancelled', message: 'the daemon stopped', hint: 'It is queued again when the daemon starts.' },
  },
  'time-limit': {
    state: 'failed',
    problem: {
      code: 'task.time-limit',
      message: 'the task ran longer than its time limit',
      hint: 'What was committed stays. Raise `limits.time` of the backup, or run it more often.',
    },
  },
  silent: {
    state: 'failed',
    problem: {
      code: 'task.crashed',
      retry: 'later',
      message: 'the process of the task gave no sign of life and was killed',
      hint: 'Storage that hangs in the kernel (a dead NFS server) looks like this: `dmesg` tells.',
    },
  },
};

/**
 * The task was stopped. Repositories that were finished before keep their results; one that ended *cancelled* ends as the reason
 * says. A task that had finished everything when the request came is left as it is.
 */
export function stoppedResult(result: TaskResult | undefined, reason: StopReason, run: EndedRun): TaskResult {
  const { state, problem } = endOf[reason];
  if (result === undefined) return emptyResult(state, run.repositories, problem, run.durationMs);
  if (result.state !== 'cancelled') return result;
  const repositories = result.repositories.map((one) => (one.state === 'cancelled' ? { ...one, state, problem } : one));
  return { ...result, state, problem, repositories };
}
