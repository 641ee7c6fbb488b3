import type { Clock } from '../../src/core/clock.ts';

interface Sleeper {
  readonly dueMs: number;
  readonly order: number;
  readonly wake: () => void;
}

/**
 * A `Clock` that stands still until a test moves it. Sleepers wake in order of their due time, then of their arrival;
 * between two of them everything that can run without time passing does run, so that a woken sleeper may sleep again.
 * Real input and output (files, sockets) does not wait for this clock: await it before advancing.
 */
export class FakeClock implements Clock {
  readonly #startMs: number;
  readonly #sleepers = new Set<Sleeper>();
  #elapsedMs = 0;
  #order = 0;
  #skewMs = 0;

  /** `startMs`: the wall time to begin with; the monotonic clock begins at 0. */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  /** How many sleeps are under way: 0 at the end of a test proves that no timer leaked. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs + this.#skewMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  /** Sets the wall clock off by `ms` (NTP, a person), without touching the monotonic clock or any sleeper. */
  skewWallClock(ms: number): void {
    this.#skewMs += ms;
  }

  async sleep(
    ms: number,
    options: { readonly signal?: AbortSignal | undefined; readonly unref?: boolean } = {},
  ): Promise<void> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (ms <= 0) return turn();
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        leave();
        reject(signal?.reason as Error);
      };
      const wake = (): void => {
        leave();
        resolve();
      };
      const sleeper = { dueMs: this.#elapsedMs + ms, order: this.#order++, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Moves time on by `ms`, waking everyone who is due on the way at exactly their time. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms;
    await turn();
    for (let next = this.#next(); next && next.dueMs <= untilMs; next = this.#next()) {
      this.#elapsedMs = next.dueMs;
      next.wake();
      await turn();
    }
    this.#elapsedMs = untilMs;
  }

  /**
   * Moves time on from sleeper to sleeper until `work` settles, and settles like it.
   * @throws Error when `work` waits for something else than time for more than `idleTurns` turns of the event loop.
   */
  async run<T>(work: Promise<T>, idleTurns = 100_000): Promise<T> {
    const state: { settled: boolean } = { settled: false };
    const settle = (): void => {
      state.settled = true;
    };
    work.then(settle, settle);
    for (let idle = 0; idle <= idleTurns; idle++) {
      await turn();
      if (state.settled) return work;
      const next = this.#next();
      if (!next) continue;
      this.#elapsedMs = next.dueMs;
      next.wake();
      idle = 0;
    }
    throw new Error('nobody sleeps, and still the work does not end');
  }

  #next(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (!first || sleeper.dueMs < first.dueMs || (sleeper.dueMs === first.dueMs && sleeper.order < first.order)) {
        first = sleeper;
      }
    }
    return first;
  }
}

/** Lets all promise callbacks and one round of the event loop run. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
