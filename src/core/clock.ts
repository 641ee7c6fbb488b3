import { setTimeout as sleepFor } from 'node:timers/promises';

/**
 * Time as the program sees it. Nothing outside `src/core` may call `Date.now`, `performance.now` or `setTimeout`:
 * tests and the simulation inject their own clock.
 */
export interface Clock {
  /** Wall time in milliseconds since the epoch; for display, schedules and records, never for durations. */
  now(): number;
  /** Milliseconds of a clock that never goes back; for durations and time-outs. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted. Does not keep the process alive by itself when `unref`. */
  sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined; readonly unref?: boolean }): Promise<void>;
}

const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, options = {}) {
    options.signal?.throwIfAborted();
    let left = Math.max(0, ms);
    try {
      do {
        const step = Math.min(left, longestTimerMs);
        await sleepFor(step, undefined, { signal: options.signal, ref: options.unref !== true });
        left -= step;
      } while (left > 0);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw error;
    }
  },
};
