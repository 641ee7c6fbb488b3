/**
 * # Log: one JSON line per event
 *
 * Words: an *event* is a stable, dotted name; its *fields* say what it was about. Every line that belongs to a task carries
 * `task`, `kind`, `trigger` and, where they apply, `backup`, `repository` and `step`, so that one query follows a retry up to the
 * trigger that caused it.
 *
 * Invariants: one line per change of state, written by the side that made the change; no secret ever, neither by type (`Secret`
 * prints as `[secret]`) nor by value (known secret texts are cut out of every line, whatever program they come from).
 */
import { pino, type DestinationStream, type Logger as Pino } from 'pino';
import pretty from 'pino-pretty';
import type { LogFields, Logger } from '../../core/logger.ts';
import type { Scrubber } from './scrubber.ts';

export interface LogSettings {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'json' | 'pretty';
}

export interface DaemonLog extends Logger {
  setLevel(level: LogSettings['level']): void;
  /** Writes out what is buffered; for the end of the program. */
  flush(): void;
}

/** `destination`: a file descriptor, or a stream owned by the caller. */
export function openLog(settings: LogSettings, scrubber: Scrubber, destination: number | DestinationStream): DaemonLog {
  const stream = streamFor(settings.format, destination);
  const root = pino(
    {
      level: settings.level,
      base: null,
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: (line) => scrubber.scrub(line) },
    },
    stream,
  );
  return {
    ...loggerOver(root),
    setLevel: (level) => {
      root.level = level;
    },
    flush: () => {
      root.flush();
    },
  };
}

function streamFor(format: LogSettings['format'], destination: number | DestinationStream): DestinationStream {
  if (format === 'pretty') {
    return pretty({ destination, messageKey: 'event', translateTime: 'SYS:HH:MM:ss', sync: true });
  }
  // Not synchronous: a slow reader of standard output must not stop the daemon.
  return typeof destination === 'number' ? pino.destination({ fd: destination, sync: false }) : destination;
}

function loggerOver(target: Pino): Logger {
  return {
    debug: (event, fields = {}) => {
      target.debug(fields, event);
    },
    info: (event, fields = {}) => {
      target.info(fields, event);
    },
    warn: (event, fields = {}) => {
      target.warn(fields, event);
    },
    error: (event, fields = {}) => {
      target.error(fields, event);
    },
    with: (fields: LogFields) => loggerOver(target.child(fields)),
  };
}
