/** Runs one task in a process of its own and answers with its result, whatever happens to the process. */
import type { Clock } from '../../core/clock.ts';
import type { LogFields, Logger } from '../../core/logger.ts';
import { repositoriesOf, type TaskAssignment } from '../kinds/task-kind.ts';
import type { TaskProblem, TaskProgress, TaskResult } from '../task.ts';
import { Child, type ChildEnd, type ProcessEntry, type ProcessLimits, type ProcessSurroundings } from './child.ts';
import { crashResult, stoppedResult } from './endings.ts';
import type { FromProcess, LogLevel, StopReason } from './messages.ts';

export interface TaskHandlers {
  progress(progress: TaskProgress): void;
  warning(problem: TaskProblem): void;
  log(level: LogLevel, event: string, fields: LogFields): void;
}

export interface TaskLimits extends ProcessLimits {
  /** The task is stopped, and fails, when it runs longer. */
  readonly timeMs?: number;
}

export interface HostSettings {
  readonly entry: ProcessEntry;
  /** What a task may take to obey `abort` before its process group is killed. */
  readonly graceMs: number;
  /** A process that is silent for so long hangs. Several times `heartbeatMs`. */
  readonly silenceMs: number;
}

/**
 * One running task. States: *running* → *stopping* (asked to end, reason known) → *ended*; a process that dies goes from either
 * to *ended*. `stop` is the only way into *stopping*, `#finish` the only way into *ended*.
 */
export interface RunningTask {
  readonly pid: number | undefined;
  /** Never rejects. */
  readonly ended: Promise<TaskResult>;
  /** Asks the task to end; after the grace time its process group is killed. The first reason counts. */
  stop(reason: StopReason): void;
  /** Kills the process group at once. */
  kill(reason: StopReason): void;
}

export class TaskHost {
  readonly #settings: HostSettings;
  readonly #surroundings: ProcessSurroundings;
  readonly #log: Logger;

  constructor(settings: HostSettings, surroundings: ProcessSurroundings, log: Logger) {
    this.#settings = settings;
    this.#surroundings = surroundings;
    this.#log = log;
  }

  start(assignment: TaskAssignment, limits: TaskLimits, handlers: TaskHandlers): RunningTask {
    const log = this.#log.with({ task: assignment.task, kind: assignment.kind });
    return new HostedTask(assignment, limits, handlers, {
      settings: this.#settings,
      surroundings: this.#surroundings,
      log,
    });
  }
}

const secondLookMs = 1_000;

interface Hosting {
  readonly settings: HostSettings;
  readonly surroundings: ProcessSurroundings;
  readonly log: Logger;
}

class HostedTask implements RunningTask {
  readonly ended: Promise<TaskResult>;
  readonly #assignment: TaskAssignment;
  readonly #handlers: TaskHandlers;
  readonly #settings: HostSettings;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #startedMs: number;
  readonly #child: Child;
  /** Aborted at the end: stops every timer of this task. */
  readonly #over = new AbortController();
  #resolve: (result: TaskResult) => void = () => undefined;
  #lastSignMs: number;
  #reason: StopReason | undefined;
  #result: TaskResult | undefined;

  constructor(assignment: TaskAssignment, limits: TaskLimits, handlers: TaskHandlers, hosting: Hosting) {
    this.#assignment = assignment;
    this.#handlers = handlers;
    this.#settings = hosting.settings;
    this.#clock = hosting.surroundings.clock;
    this.#log = hosting.log;
    this.#startedMs = this.#clock.monotonic();
    this.#lastSignMs = this.#startedMs;
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
    this.#child = new Child(hosting.settings.entry, limits, hosting.surroundings, {
      message: (message) => {
        this.#receive(message);
      },
      ended: (end) => {
        this.#finish(end);
      },
    });
    this.#log.info('process.started', { pid: this.#child.pid });
    this.#child.send({ type: 'start', assignment });
    this.#watchSilence();
    if (limits.timeMs !== undefined)
      this.#after(limits.timeMs, () => {
        this.stop('time-limit');
      });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  stop(reason: StopReason): void {
    if (this.#reason !== undefined || this.#over.signal.aborted) return;
    this.#reason = reason;
    this.#log.info('process.stopping', { reason });
    this.#child.send({ type: 'abort', reason });
    this.#after(this.#settings.graceMs, () => {
      this.kill(reason);
    });
  }

  kill(reason: StopReason): void {
    if (this.#over.signal.aborted) return;
    this.#reason ??= reason;
    this.#log.warn('process.killed', { reason: this.#reason });
    this.#child.kill();
  }

  #receive(message: FromProcess): void {
    this.#lastSignMs = this.#clock.monotonic();
    switch (message.type) {
      case 'progress':
        this.#handlers.progress(message.progress);
        break;
      case 'warning':
        this.#handlers.warning(message.problem);
        break;
      case 'log':
        this.#handlers.log(message.level, message.event, message.fields);
        break;
      case 'result':
        this.#result = message.result;
        break;
      case 'heartbeat':
      case 'answer':
      case 'refused':
        break;
    }
  }

  #finish(end: ChildEnd): void {
    this.#over.abort();
    const durationMs = Math.round(this.#clock.monotonic() - this.#startedMs);
    this.#log.info('process.ended', { exitCode: end.exitCode, signal: end.signal });
    const repositories = repositoriesOf(this.#assignment);
    if (this.#reason !== undefined)
      this.#resolve(stoppedResult(this.#result, this.#reason, { repositories, durationMs }));
    else this.#resolve(this.#result ?? crashResult(end, { repositories, durationMs }));
  }

  /** Silence must be seen twice, a moment apart: after this process slept itself, signs of life are still to be read. */
  #watchSilence(suspected = false): void {
    const left = this.#lastSignMs + this.#settings.silenceMs - this.#clock.monotonic();
    if (left <= 0 && suspected) this.kill('silent');
    else {
      this.#after(left <= 0 ? secondLookMs : left, () => {
        this.#watchSilence(left <= 0);
      });
    }
  }

  #after(ms: number, act: () => void): void {
    this.#clock.sleep(ms, { signal: this.#over.signal, unref: true }).then(act, () => undefined);
  }
}
