/** Runs the daemon in this process, from signals to exit code. */
import { fileURLToPath } from 'node:url';
import { systemClock } from '../core/clock.ts';
import { createOsLocks } from '../core/os-lock-helper.ts';
import { systemRandom } from '../core/random.ts';
import { loadConfig } from './config/load.ts';
import { openLog, type DaemonLog } from './log/log.ts';
import { Scrubber } from './log/scrubber.ts';
import { secretTexts } from './config/assignments.ts';
import { packageRoot, programVersion } from '../core/version.ts';
import { startDaemon, type Daemon, type DaemonParts } from './wiring.ts';

export interface DaemonOptions {
  readonly configFile: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Pretty lines when the configuration does not ask for a format and a person looks on. */
  readonly terminal: boolean;
}

/**
 * Runs until a signal: SIGTERM and SIGINT stop it within 20 seconds, a second one at once; SIGHUP reads the configuration again.
 * Answers the exit code. @throws ConfigError, or NesteggError `state.locked` and others when it cannot start.
 */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const config = await loadConfig(options.configFile, options.environment);
  const scrubber = new Scrubber();
  scrubber.learn(secretTexts(config));
  const format = options.terminal ? 'pretty' : config.log.format;
  const log = openLog({ level: config.log.level, format }, scrubber, 1);
  const locks = createOsLocks();
  process.on('uncaughtExceptionMonitor', (error) => {
    log.error('daemon.crashed', { stack: error.stack });
    log.flush();
  });
  try {
    const daemon = await startDaemon(config, {
      clock: systemClock,
      random: systemRandom,
      locks,
      log,
      scrubber,
      environment: options.environment,
      version: programVersion(),
      uiFolder: fileURLToPath(new URL('dist/ui/', packageRoot)),
      entries: entries(),
    });
    return await untilStopped(daemon, log);
  } finally {
    await locks.close();
    log.flush();
  }
}

function entries(): DaemonParts['entries'] {
  return {
    task: { caller: import.meta.url, module: '../tasks/process/task-process-main' },
    reader: { caller: import.meta.url, module: '../tasks/process/reader-process-main' },
  };
}

/** Signals are the only way out, but for the loss of the database. */
async function untilStopped(daemon: Daemon, log: DaemonLog): Promise<number> {
  let asked = false;
  let leave: () => void = () => undefined;
  const asking = new Promise<void>((resolve) => (leave = resolve));
  const stop = (signal: NodeJS.Signals): void => {
    if (asked) {
      log.warn('daemon.stopped-at-once', { signal });
      log.flush();
      process.exit(1);
    }
    asked = true;
    leave();
  };
  const reload = (): void => {
    // The reason is in the log, and in the status.
    daemon.reload().catch(() => undefined);
  };
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', reload);
  try {
    await Promise.race([asking, daemon.lost]).finally(() => daemon.stop());
    return 0;
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', reload);
  }
}
