/**
 * # Processes: where tasks run
 *
 * Words: the *host* is the side of the daemon, the *task process* runs one task and ends with it, a *reader* answers questions
 * about one repository until nobody asked for a while. This file is everything that passes between them.
 *
 * Invariants: one process for one task; a process leads a process group of its own, so that killing the group leaves nothing
 * behind; configuration and secrets pass only here, never by argv or environment; a process whose host is gone ends at once; no
 * crash, leak or hang of a process is felt by the host other than as the result of that task.
 */
import type { LogFields } from '../../core/logger.ts';
import type { RepositoryAssignment } from '../kinds/assignment.ts';
import type { TaskAssignment } from '../kinds/task-kind.ts';
import type { RepositoryRequest } from '../kinds/read-repository.ts';
import type { TaskProblem, TaskProgress, TaskResult } from '../task.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * Why a task is stopped; it decides how it ends. `cancel`: cancelled. `time-limit`: failed. `shutdown`: interrupted, so that it
 * is queued again at the next start. `silent`: failed, the process gave no sign of life.
 */
export type StopReason = 'cancel' | 'time-limit' | 'shutdown' | 'silent';

/** From the host. The first message is `start` or `open`. */
export type ToProcess =
  | { readonly type: 'start'; readonly assignment: TaskAssignment }
  | { readonly type: 'abort'; readonly reason: StopReason }
  | { readonly type: 'open'; readonly repository: RepositoryAssignment; readonly stateDirectory: string }
  | { readonly type: 'request'; readonly id: number; readonly request: RepositoryRequest };

/** From the process. `result` is the last message of a task process. */
export type FromProcess =
  | { readonly type: 'heartbeat' }
  | { readonly type: 'progress'; readonly progress: TaskProgress }
  | { readonly type: 'warning'; readonly problem: TaskProblem }
  | { readonly type: 'log'; readonly level: LogLevel; readonly event: string; readonly fields: LogFields }
  | { readonly type: 'result'; readonly result: TaskResult }
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'refused'; readonly id: number; readonly problem: TaskProblem };

/** How often a process gives a sign of life. */
export const heartbeatMs = 2_000;

const fromProcess: Readonly<Record<FromProcess['type'], true>> = {
  heartbeat: true,
  progress: true,
  warning: true,
  log: true,
  result: true,
  answer: true,
  refused: true,
};

/** Both sides are of one build, so the type alone is checked: another program could not have this channel. */
export function isFromProcess(message: unknown): message is FromProcess {
  return typeof message === 'object' && message !== null && 'type' in message && String(message.type) in fromProcess;
}
