/** Gives each task that the dispatcher starts its assignment and a process of its own. */
import type { Logger } from '../core/logger.ts';
import type { TaskHost, TaskLimits } from '../tasks/process/task-host.ts';
import type { TaskAssignment } from '../tasks/kinds/task-kind.ts';
import type { TaskRunner, TaskWork } from '../tasks/queue/dispatcher.ts';
import type { RunningTask } from '../tasks/task.ts';
import { backupAssignment, repositoryAssignment } from './config/assignments.ts';
import type { Config } from './config/config.ts';
import { taskFields } from './log/task-log.ts';
import type { TaskLogs } from './task-logs.ts';

export interface TaskRunnerParts {
  readonly host: TaskHost;
  readonly logs: TaskLogs;
  readonly log: Logger;
  /** The configuration in force when the task starts; it keeps it to its end. */
  readonly config: () => Config;
}

type Tell = Parameters<TaskRunner['run']>[1];

export class ProcessTaskRunner implements TaskRunner {
  readonly #parts: TaskRunnerParts;

  constructor(parts: TaskRunnerParts) {
    this.#parts = parts;
  }

  /** @throws NotFoundError when the configuration has lost what the task is about. */
  run(task: RunningTask, tell: Tell): TaskWork {
    const { host, logs } = this.#parts;
    const config = this.#parts.config();
    const assignment = assignmentOf(task, config);
    const log = this.#parts.log.with(taskFields(task));
    const taskLog = logs.open(task.id);
    const running = host.start(assignment, limitsOf(assignment, config), {
      progress: (progress) => {
        tell.progress(progress);
      },
      warning: (problem) => {
        taskLog.add('warn', 'task.warning', { problem });
        tell.warning(problem);
      },
      log: (level, event, fields) => {
        taskLog.add(level, event, fields);
        log[level](event, fields);
      },
    });
    const ended = running.ended.then((result) => {
      taskLog.add('info', 'task.ended', { state: result.state, problem: result.problem });
      taskLog.close();
      return result;
    });
    return {
      ended,
      stop: (reason) => {
        running.stop(reason);
      },
    };
  }
}

/** @throws NotFoundError */
export function assignmentOf(task: Pick<RunningTask, 'id' | 'attempt' | 'request'>, config: Config): TaskAssignment {
  const { kind, subject, repositories, options } = task.request;
  const base = {
    task: task.id,
    attempt: task.attempt,
    device: config.device,
    stateDirectory: config.daemon.state,
    options,
  };
  if (kind === 'backup') {
    const name = subject.type === 'backup' ? subject.backup : '';
    return { ...base, kind, backup: backupAssignment(config, name, repositories) };
  }
  return { ...base, kind, repository: repositoryAssignment(config, repositories[0] ?? '') };
}

function limitsOf(assignment: TaskAssignment, config: Config): TaskLimits {
  if (assignment.kind !== 'backup') return {};
  const limits = config.backups[assignment.backup.name]?.limits;
  return {
    ...(limits?.timeMs === undefined ? {} : { timeMs: limits.timeMs }),
    ...(limits?.nice === undefined ? {} : { nice: limits.nice }),
    ...(limits?.io === undefined ? {} : { io: limits.io }),
  };
}
