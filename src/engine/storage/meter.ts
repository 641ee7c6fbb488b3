import { systemClock, type Clock } from '../../core/clock.ts';
import { decorate, type Operation } from './calls.ts';
import type { Pace, Storage } from './storage.ts';

export interface OperationTotals {
  readonly calls: number;
  readonly errors: number;
  /** Time spent in the calls, by the monotonic clock. Calls that ran at once count each. */
  readonly tookMs: number;
}

/** What went through one storage since it was made. */
export class Meter {
  readonly #totals = new Map<Operation, OperationTotals>();
  #sentBytes = 0;
  #receivedBytes = 0;

  get sentBytes(): number {
    return this.#sentBytes;
  }

  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  of(operation: Operation): OperationTotals {
    return this.#totals.get(operation) ?? { calls: 0, errors: 0, tookMs: 0 };
  }

  count(operation: Operation, failed: boolean, tookMs: number): void {
    const { calls, errors, tookMs: before } = this.of(operation);
    this.#totals.set(operation, { calls: calls + 1, errors: errors + Number(failed), tookMs: before + tookMs });
  }

  countBytes(operation: Operation, bytes: number): void {
    if (operation === 'put') this.#sentBytes += bytes;
    else this.#receivedBytes += bytes;
  }
}

/**
 * Counts the calls that reach the store below, and the bytes of bodies as they move, for progress and metrics. Stacked
 * below retry, so that every attempt counts. Listings are not timed: their consumer sets the pace.
 */
export function withMeter(storage: Storage, meter: Meter, clock: Clock = systemClock): Storage {
  return decorate(storage, async (call, run, options) => {
    const startMs = clock.monotonic();
    const pace: Pace = async (wantedBytes) => {
      const allowed = options.pace ? await options.pace(wantedBytes) : wantedBytes;
      meter.countBytes(call.operation, allowed);
      return allowed;
    };
    let failed = true;
    try {
      const result = await run({ ...options, pace });
      failed = false;
      return result;
    } finally {
      meter.count(call.operation, failed, clock.monotonic() - startMs);
    }
  });
}
