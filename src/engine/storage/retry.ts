import { systemClock, type Clock } from '../../core/clock.ts';
import { CancelledError, StorageError, messageOf } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { systemRandom, type Random } from '../../core/random.ts';
import { formatDuration } from '../../core/units.ts';
import { checkSignal, decorate, type StorageCall } from './calls.ts';
import type { ListOptions, ObjectInfo, Storage } from './storage.ts';

export interface RetryOptions {
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Ceiling of the first delay; it doubles with every failure up to `longestMs`. Default 1 s and 60 s. */
  readonly shortestMs?: number;
  readonly longestMs?: number;
  /** How long one call may take with all its attempts, by the monotonic clock. Default 15 min. */
  readonly budgetMs?: number;
}

interface Policy extends Required<RetryOptions> {
  /** One attempt after the other of one call. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Repeats calls that failed with `retry: 'later'`, after a full-jitter delay: uniform between 0 and a ceiling that
 * doubles. A store that says how long to wait (`retryAfterMs` in the context of the error) is obeyed. Every attempt
 * sends the same bytes. What is still failing when the budget is used up, or would be before the next attempt, is
 * thrown as it was, with the number of attempts. Logs `storage.retry` before each delay.
 *
 * A listing that breaks off begins again, so names may come twice; its budget counts from where it last got further.
 */
export function withRetry(storage: Storage, options: RetryOptions): Storage {
  const policy = {
    clock: systemClock,
    random: systemRandom,
    shortestMs: 1000,
    longestMs: 60_000,
    budgetMs: 15 * 60_000,
    ...options,
  };
  return decorate(
    storage,
    async (call, run, callOptions) => {
      const attempts = new Attempts(call, { ...policy, signal: callOptions.signal });
      for (;;) {
        try {
          return await run(callOptions);
        } catch (error) {
          await attempts.failed(error);
        }
      }
    },
    { list: (prefix, listOptions) => listAgain(storage, policy, prefix, listOptions ?? {}) },
  );
}

async function* listAgain(
  storage: Storage,
  policy: Omit<Policy, 'signal'>,
  prefix: string,
  options: ListOptions,
): AsyncGenerator<ObjectInfo> {
  const attempts = new Attempts({ operation: 'list', subject: prefix }, { ...policy, signal: options.signal });
  for (let furthest = 0; ;) {
    let count = 0;
    const listing = storage.list(prefix, options)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await attempts.tryNext(listing);
        if (next === 'failed') break;
        if (next.done === true) return;
        if (++count > furthest) {
          furthest = count;
          attempts.restart();
        }
        yield next.value;
      }
    } finally {
      await listing.return?.();
    }
  }
}

class Attempts {
  readonly #call: StorageCall;
  readonly #policy: Policy;
  #startMs: number;
  #count = 0;
  #total = 0;

  constructor(call: StorageCall, policy: Policy) {
    this.#call = call;
    this.#policy = policy;
    this.#startMs = policy.clock.monotonic();
  }

  /** The budget and the delays begin anew. */
  restart(): void {
    this.#startMs = this.#policy.clock.monotonic();
    this.#count = 0;
  }

  async tryNext(listing: AsyncIterator<ObjectInfo>): Promise<IteratorResult<ObjectInfo> | 'failed'> {
    try {
      return await listing.next();
    } catch (error) {
      await this.failed(error);
      return 'failed';
    }
  }

  /** Resolves when it is time for the next attempt. @throws the error when there is to be none; CancelledError. */
  async failed(error: unknown): Promise<void> {
    if (!(error instanceof StorageError) || error.retry !== 'later') throw error;
    checkSignal(this.#policy.signal);
    const { clock, logger, budgetMs } = this.#policy;
    this.#count++;
    this.#total++;
    const delayMs = this.#delayMs(error);
    if (clock.monotonic() + delayMs > this.#startMs + budgetMs) throw this.#givenUp(error);
    logger.warn('storage.retry', {
      operation: this.#call.operation,
      object: this.#call.subject,
      attempt: this.#total,
      delayMs,
      code: error.code,
      error: error.message,
    });
    try {
      await clock.sleep(delayMs, { signal: this.#policy.signal });
    } catch (cause) {
      throw new CancelledError(undefined, { cause });
    }
  }

  #delayMs(error: StorageError): number {
    const { random, shortestMs, longestMs } = this.#policy;
    const ceiling = Math.min(longestMs, shortestMs * 2 ** Math.min(this.#count - 1, 30));
    const jitterMs = random.below(ceiling + 1);
    const { retryAfterMs } = error.context;
    // The jitter on top keeps those who were sent away together from coming back together.
    return typeof retryAfterMs === 'number' && retryAfterMs > 0 ? retryAfterMs + Math.min(jitterMs, 1000) : jitterMs;
  }

  #givenUp(error: StorageError): StorageError {
    if (this.#total === 1) return error;
    const took = formatDuration(this.#policy.clock.monotonic() - this.#startMs);
    const attempts = String(this.#total);
    return new StorageError(error.code, `${messageOf(error)} (given up after ${attempts} attempts in ${took})`, {
      cause: error,
      retry: error.retry,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      context: { ...error.context, attempts: this.#total },
    });
  }
}
