import type { Clock } from '../../../core/clock.ts';
import type { Pace } from '../storage.ts';

/**
 * Watches one paced request: fails it when no byte has moved for too long, not counting the time spent waiting for
 * leave to move more. The socket's own inactivity time-out cannot tell the two apart, so paced requests go without it.
 */
export class Progress {
  readonly #clock: Clock;
  readonly #limitMs: number;
  #lastMs: number;
  #waiting = 0;

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#lastMs = clock.monotonic();
  }

  /** `pace`, with its waiting time taken as no lack of progress, and each leave as progress. */
  paced(pace: Pace): Pace {
    return async (wantedBytes) => {
      this.#waiting += 1;
      try {
        return await pace(wantedBytes);
      } finally {
        this.#waiting -= 1;
        this.#lastMs = this.#clock.monotonic();
      }
    };
  }

  /**
   * Runs `work` with a signal that aborts with the outer one or when progress stops.
   * @throws Error named TimeoutError when progress stops.
   */
  async watch<T>(outer: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController();
    const abort = (): void => {
      stop.abort(outer?.reason);
    };
    outer?.addEventListener('abort', abort, { once: true });
    if (outer?.aborted === true) abort();
    const done = new AbortController();
    const watching = this.#untilStalled(done.signal).then((stalled) => {
      if (stalled) stop.abort(timeoutError(this.#limitMs));
    });
    try {
      return await work(stop.signal);
    } catch (error) {
      // The abort error of the SDK says nothing of the reason.
      if (stop.signal.aborted && outer?.aborted !== true) throw stop.signal.reason;
      throw error;
    } finally {
      done.abort();
      outer?.removeEventListener('abort', abort);
      await watching;
    }
  }

  async #untilStalled(done: AbortSignal): Promise<boolean> {
    for (;;) {
      const leftMs = this.#waiting > 0 ? this.#limitMs : this.#lastMs + this.#limitMs - this.#clock.monotonic();
      if (leftMs <= 0) return true;
      try {
        await this.#clock.sleep(leftMs, { signal: done });
      } catch (error) {
        if (done.aborted) return false;
        throw error;
      }
    }
  }
}

function timeoutError(limitMs: number): Error {
  const error = new Error(`no byte moved for ${String(limitMs)} ms`);
  error.name = 'TimeoutError';
  return error;
}
