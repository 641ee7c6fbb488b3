import type { DueTimes } from './due-times.ts';

/** Every `periodMs`, counted from `startMs`, before and after it: a clock that is set changes nothing. */
export function intervalTimes(periodMs: number, startMs: number): DueTimes {
  return { after: (ms) => startMs + (Math.floor((ms - startMs) / periodMs) + 1) * periodMs };
}
