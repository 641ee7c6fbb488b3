/** Writes each change of state of a task as one event, with the fields that tie it to its trigger. */
import { assertNever } from '../../core/assert.ts';
import type { LogFields, Logger } from '../../core/logger.ts';
import type { EndedTask, Task, TaskEvent } from '../../tasks/task.ts';

/** The fields every line about this task carries. */
export function taskFields(task: Task): LogFields {
  const { subject, trigger, kind } = task.request;
  return {
    task: task.id,
    kind,
    trigger: trigger.kind,
    ...(trigger.detail === undefined ? {} : { triggerDetail: trigger.detail }),
    ...(subject.type === 'backup' ? { backup: subject.backup } : { repository: subject.repository }),
    attempt: task.attempt,
  };
}

export function logTaskEvent(log: Logger, event: TaskEvent): void {
  switch (event.type) {
    case 'task.queued': {
      const { priority, repositories } = event.task.request;
      log.info(event.merged ? 'task.merged' : 'task.queued', { ...taskFields(event.task), priority, repositories });
      return;
    }
    case 'task.changed':
      log.info('task.changed', { ...taskFields(event.task), priority: event.task.request.priority });
      return;
    case 'task.started':
    case 'task.aborting':
      log.info(event.type, taskFields(event.task));
      return;
    case 'task.progress':
      return;
    case 'task.warning':
      log.warn('task.warning', { task: event.id, problem: event.problem });
      return;
    case 'task.ended':
      logEnd(log, event.task);
      return;
    default:
      assertNever(event);
  }
}

const levelOf = {
  done: 'info',
  warning: 'warn',
  failed: 'error',
  cancelled: 'info',
  interrupted: 'warn',
  skipped: 'info',
} as const;

/** One line for the task, which is its history row too, and one for each repository. */
function logEnd(log: Logger, task: EndedTask): void {
  const fields = taskFields(task);
  const { repositories, warnings, ...totals } = task.result;
  for (const result of repositories) log[levelOf[result.state]]('task.repository', { ...fields, ...result });
  log[levelOf[task.state]]('task.ended', {
    ...fields,
    ...totals,
    warnings: warnings.length + task.result.moreWarnings,
  });
}
