/**
 * Cron expressions of five fields, or six with seconds first, by croner; only as a calculator, it starts no timer.
 *
 * Summer time, the same as for calendar events: a time of the day without `*` and steps that the clock jumps over is due
 * when it jumps, and due once when the clock shows it twice. With `*` or steps in the time of the day, what the clock
 * jumps over is not due, and what it shows twice is due twice: `0 * * * *` is due every hour of a day of 25.
 */
import { Cron } from 'croner';
import { messageOf } from '../core/errors.ts';
import type { DueTimes } from './due-times.ts';

const options = { paused: true, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' } as const;

/** Why `text` is no cron expression; `undefined` when it is one. */
export function cronFault(text: string): string | undefined {
  try {
    new Cron(text, options);
    return undefined;
  } catch (error) {
    return messageOf(error).replace(/^CronPattern: /, '');
  }
}

/** @throws TypeError when it is no cron expression */
export function cronTimes(text: string, timezone: string): DueTimes {
  const cron = new Cron(text, { ...options, timezone });
  return { after: (ms) => cron.nextRun(new Date(ms))?.getTime() };
}
