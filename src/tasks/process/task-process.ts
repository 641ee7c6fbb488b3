/** The side of the task process: takes one assignment, runs its kind, answers with the result and ends. */
import type { Clock } from '../../core/clock.ts';
import { CancelledError } from '../../core/errors.ts';
import type { LogFields, Logger } from '../../core/logger.ts';
import type { Random } from '../../core/random.ts';
import { runTask, type TaskAssignment, type TaskContext, type TaskKinds } from '../kinds/task-kind.ts';
import { ProgressGate } from './progress-gate.ts';
import { heartbeatMs, type FromProcess, type LogLevel, type ToProcess } from './messages.ts';

/** The IPC channel of this process. */
export interface HostLink {
  send(message: FromProcess): Promise<void>;
  onMessage(handle: (message: ToProcess) => void): void;
}

/** Warnings beyond these are counted in the result but not sent one by one. */
const warningsSent = 1_000;

/** The channel to the host; without a host there is nobody to report to and no reason to live. */
export function hostLink(): HostLink {
  process.once('disconnect', () => {
    process.kill(-process.pid, 'SIGKILL');
  });
  return {
    send: (message) =>
      new Promise((resolve) => {
        if (process.send === undefined) resolve();
        else
          process.send(message, () => {
            resolve();
          });
      }),
    onMessage: (handle) => {
      process.on('message', handle);
    },
  };
}

/** Sends a sign of life until `signal` aborts. It comes from the main loop, so a loop that hangs gives none. */
export async function beat(link: HostLink, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await link.send({ type: 'heartbeat' });
    await clock.sleep(heartbeatMs, { signal, unref: true }).catch(() => undefined);
  }
}

/** A log whose lines go to the host, which adds what it knows of the task. */
export function linkLogger(link: HostLink, bound: LogFields = {}): Logger {
  const write =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}): void => {
      void link.send({ type: 'log', level, event, fields: { ...bound, ...fields } });
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    with: (fields) => linkLogger(link, { ...bound, ...fields }),
  };
}

/** Resolves when the result was handed to the host. A runner that throws is a bug: the process dies and the host tells. */
export async function runTaskProcess(kinds: TaskKinds, link: HostLink, clock: Clock, random: Random): Promise<void> {
  const stop = new AbortController();
  const over = new AbortController();
  const assignment = await new Promise<TaskAssignment>((resolve) => {
    link.onMessage((message) => {
      if (message.type === 'start') resolve(message.assignment);
      if (message.type === 'abort') stop.abort(new CancelledError());
    });
    void beat(link, clock, over.signal);
  });
  const gate = new ProgressGate(clock, (progress) => void link.send({ type: 'progress', progress }));
  let warnings = 0;
  const context: TaskContext = {
    signal: stop.signal,
    clock,
    random,
    log: linkLogger(link),
    progress: (progress) => {
      gate.offer(progress);
    },
    warning: (problem) => {
      warnings += 1;
      if (warnings <= warningsSent) void link.send({ type: 'warning', problem });
    },
  };
  const result = await runTask(kinds, assignment, context);
  gate.close();
  over.abort();
  await link.send({ type: 'result', result });
}
