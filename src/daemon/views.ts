/** Tasks as the API shows them. */
import type { Task, TaskProgress, WaitingReason } from '../tasks/task.ts';
import type { LastResult, TaskView } from './api/contract.ts';
import type { EndedTask } from '../tasks/task.ts';

export interface TaskExtras {
  readonly progress?: TaskProgress | undefined;
  readonly waiting?: WaitingReason | undefined;
}

export function taskView(task: Task, extras: TaskExtras = {}): TaskView {
  const { id, attempt, createdMs, merged } = task;
  const { kind, subject, repositories, priority, trigger } = task.request;
  const base = { id, kind, subject, repositories, priority, trigger, attempt, merged, createdMs };
  switch (task.state) {
    case 'queued': {
      const { notBeforeMs } = task;
      return {
        ...base,
        state: task.state,
        ...(notBeforeMs === undefined ? {} : { notBeforeMs }),
        ...(extras.waiting === undefined ? {} : { waiting: extras.waiting }),
      };
    }
    case 'running':
    case 'aborting':
      return {
        ...base,
        state: task.state,
        startedMs: task.startedMs,
        ...(extras.progress === undefined ? {} : { progress: extras.progress }),
      };
    default:
      return {
        ...base,
        state: task.state,
        ...(task.startedMs === undefined ? {} : { startedMs: task.startedMs }),
        endedMs: task.endedMs,
        result: task.result,
      };
  }
}

/** A history row in short; with `repository`, what that one got out of the task. */
export function lastResult(task: EndedTask, repository?: string): LastResult | undefined {
  const { result } = task;
  const parts = result.repositories.filter((part) => repository === undefined || part.repository === repository);
  if (repository !== undefined && parts.length === 0) return undefined;
  const sum = (of: (part: (typeof parts)[number]) => number): number =>
    parts.reduce((total, part) => total + of(part), 0);
  const problem =
    repository === undefined ? (result.problem ?? parts.find((part) => part.problem)?.problem) : parts[0]?.problem;
  return {
    task: task.id,
    kind: task.request.kind,
    state: repository === undefined ? task.state : (parts[0]?.state ?? task.state),
    endedMs: task.endedMs,
    durationMs: result.durationMs,
    storedBytes: sum((part) => part.storedBytes),
    snapshots: sum((part) => part.snapshots.length),
    warnings: result.warnings.length + result.moreWarnings,
    ...(problem === undefined ? {} : { problem }),
  };
}
