import Bottleneck from 'bottleneck';
import { StorageError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { checkSignal, decorate, untilAborted, type Operation } from './calls.ts';
import type { Storage } from './storage.ts';

export interface ConcurrencyOptions {
  readonly logger: Logger;
  /** Requests at once to begin with. Default: what the store declares. */
  readonly start?: number;
  /** Never more than this. Default: eight times the start. */
  readonly max?: number;
}

/** These make their own requests, a few at a time, and may take hours: a slot would be held for too long. */
const unlimited: ReadonlySet<Operation> = new Set(['barrier', 'pending']);

/**
 * Lets a bounded number of requests run at once, in order of arrival, and finds the number: one more after as many
 * successes as there are slots and while all are in use, half of them when the store says that it is overloaded or
 * stops answering. Listings, `barrier` and `pending` take no slot, but their failures count. Logs `storage.concurrency`.
 */
export function withConcurrency(storage: Storage, options: ConcurrencyOptions): Storage {
  const limit = new AdaptiveLimit(storage, options);
  return decorate(
    storage,
    (call, run, callOptions) => {
      const request = (): ReturnType<typeof run> => run(callOptions);
      if (unlimited.has(call.operation)) return limit.observe(request);
      return limit.schedule(request, callOptions.signal);
    },
    {
      async *list(prefix, listOptions) {
        const { epoch } = limit;
        try {
          yield* storage.list(prefix, listOptions);
        } catch (error) {
          limit.failed(error, epoch);
          throw error;
        }
      },
      async close() {
        await limit.close();
        await storage.close();
      },
    },
  );
}

class AdaptiveLimit {
  readonly #limiter: Bottleneck;
  readonly #logger: Logger;
  readonly #max: number;
  #limit: number;
  #running = 0;
  #waiting = 0;
  #successes = 0;
  /** How often it was lowered: a request that began before is no reason to lower it again. */
  #epoch = 0;

  constructor(storage: Storage, options: ConcurrencyOptions) {
    const start = options.start ?? storage.capabilities.concurrency;
    this.#max = Math.max(1, options.max ?? start * 8);
    this.#limit = Math.max(1, Math.min(start, this.#max));
    this.#logger = options.logger;
    this.#limiter = new Bottleneck({ maxConcurrent: this.#limit });
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Runs the request when a slot is free. @throws CancelledError as soon as the signal aborts, also while it waits. */
  async schedule<T>(request: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    checkSignal(signal);
    const state = { started: false };
    this.#waiting++;
    const job = this.#limiter.schedule(async () => {
      this.#waiting--;
      checkSignal(signal);
      state.started = true;
      return this.observe(request);
    });
    try {
      return await untilAborted(job, signal);
    } catch (error) {
      // Until it settles the request still reads the caller's bytes.
      if (state.started) return await job;
      job.catch(() => undefined);
      throw error;
    }
  }

  async observe<T>(request: () => Promise<T>): Promise<T> {
    const epoch = this.#epoch;
    const usedUp = ++this.#running >= this.#limit;
    try {
      const result = await request();
      if (usedUp || this.#waiting > 0) this.#succeeded();
      return result;
    } catch (error) {
      this.failed(error, epoch);
      throw error;
    } finally {
      this.#running--;
    }
  }

  failed(error: unknown, epoch: number): void {
    if (!(error instanceof StorageError) || epoch !== this.#epoch) return;
    if (error.code !== 'storage.unavailable' && error.code !== 'storage.timeout') return;
    this.#epoch++;
    this.#set(Math.max(1, Math.floor(this.#limit / 2)), error.code);
  }

  async close(): Promise<void> {
    await this.#limiter.disconnect(false);
  }

  #succeeded(): void {
    if (++this.#successes >= this.#limit && this.#limit < this.#max) this.#set(this.#limit + 1, 'success');
  }

  #set(limit: number, reason: string): void {
    this.#successes = 0;
    if (limit === this.#limit) return;
    this.#limit = limit;
    this.#limiter.updateSettings({ maxConcurrent: limit });
    this.#logger.debug('storage.concurrency', { limit, reason });
  }
}
