/** The log of work done in this process: warnings and errors on standard error, everything with `--debug`. */
import type { LogFields, Logger } from '../core/logger.ts';
import { plain } from './output.ts';
import type { GlobalOptions, World } from './world.ts';

const levels = ['debug', 'info', 'warn', 'error'] as const;

export function cliLogger(
  world: Pick<World, 'stderr'>,
  options: Pick<GlobalOptions, 'debug'>,
  bound: LogFields = {},
): Logger {
  const least = options.debug ? 0 : levels.indexOf('warn');
  const write =
    (level: (typeof levels)[number]) =>
    (event: string, fields: LogFields = {}): void => {
      if (levels.indexOf(level) < least) return;
      const all = JSON.stringify({ ...bound, ...fields });
      world.stderr.write(`${plain(`${level} ${event} ${all === '{}' ? '' : all}`).trimEnd()}\n`);
    };
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    with: (fields) => cliLogger(world, options, { ...bound, ...fields }),
  };
}
