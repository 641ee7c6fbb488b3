/** Fields every line may carry, so that one retry can be followed up to its trigger with one query. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * What the engine and the tasks need of a log; the daemon and the CLI provide it. `event` is a stable, dotted name
 * (`storage.retry`), never a sentence. Fields must be JSON values; a `Secret` prints as `[secret]`.
 */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger whose lines also carry `fields`. */
  with(fields: LogFields): Logger;
}

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLogger,
};
