import { systemClock, type Clock } from '../../core/clock.ts';
import { CancelledError } from '../../core/errors.ts';

/** What an idle bucket may save up, and the most that is granted at once, in milliseconds of its rate. */
const burstMs = 100;
const pieceMs = 50;

interface Waiter {
  readonly wantedBytes: number;
  readonly grant: (bytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * Bytes a second, shared in order of arrival by all who take. In any 10 s the bytes granted are at most 2 % over the
 * rate, and not under it while somebody waits, however the rate is changed meanwhile.
 *
 * A grant is made when nothing is owed and then paid off: so a piece larger than the burst still goes through.
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #waiting: Waiter[] = [];
  #bytesPerSecond: number | undefined;
  /** Bytes saved up; negative: owed. True at `#atMs`. */
  #tokens = 0;
  #atMs: number;
  #pumping = false;
  #wake = new AbortController();

  /** `bytesPerSecond`: at least 1, or `undefined` for no limit. */
  constructor(bytesPerSecond: number | undefined, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#atMs = clock.monotonic();
    this.#bytesPerSecond = checkRate(bytesPerSecond);
  }

  get bytesPerSecond(): number | undefined {
    return this.#bytesPerSecond;
  }

  /** Counts from now on, also for those who wait. */
  setRate(bytesPerSecond: number | undefined): void {
    this.#accrue();
    this.#bytesPerSecond = checkRate(bytesPerSecond);
    this.#tokens = Math.max(this.#tokens, -this.#worth(pieceMs));
    this.#wake.abort();
  }

  /** Resolves with how many of the wanted bytes may be moved now. @throws CancelledError. */
  async take(wantedBytes: number, signal?: AbortSignal): Promise<number> {
    if (signal?.aborted) throw new CancelledError(undefined, { cause: signal.reason });
    if (this.#waiting.length === 0) {
      const granted = this.#tryTake(wantedBytes);
      if (granted > 0) return granted;
    }
    return this.#wait(wantedBytes, signal);
  }

  #wait(wantedBytes: number, signal: AbortSignal | undefined): Promise<number> {
    return new Promise((resolve, reject) => {
      const leave = (): void => signal?.removeEventListener('abort', abort);
      const grant = (bytes: number): void => {
        leave();
        resolve(bytes);
      };
      const waiter: Waiter = { wantedBytes, grant, signal };
      const abort = (): void => {
        leave();
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        if (this.#waiting.length === 0) this.#wake.abort();
        reject(new CancelledError(undefined, { cause: signal?.reason }));
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(waiter);
      if (!this.#pumping) void this.#pump();
    });
  }

  /** Serves those who wait until nobody does. */
  async #pump(): Promise<void> {
    this.#pumping = true;
    for (let head = this.#waiting[0]; head; head = this.#waiting[0]) {
      const granted = this.#tryTake(head.wantedBytes);
      if (granted > 0) {
        this.#waiting.shift();
        head.grant(granted);
        continue;
      }
      const rate = this.#bytesPerSecond ?? Infinity;
      this.#wake = new AbortController();
      // Ends early when the rate changes or nobody waits any more; then the loop looks again.
      await this.#clock
        .sleep(Math.max(1, (-this.#tokens * 1000) / rate), { signal: this.#wake.signal })
        .catch(() => undefined);
    }
    this.#pumping = false;
  }

  #tryTake(wantedBytes: number): number {
    if (this.#bytesPerSecond === undefined) return wantedBytes;
    this.#accrue();
    if (this.#tokens < 0) return 0;
    const granted = Math.min(wantedBytes, Math.max(1, Math.floor(this.#worth(pieceMs))));
    this.#tokens -= granted;
    return granted;
  }

  #accrue(): void {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#worth(burstMs), this.#tokens + this.#worth(now - this.#atMs));
    this.#atMs = now;
  }

  #worth(ms: number): number {
    return this.#bytesPerSecond === undefined ? 0 : (this.#bytesPerSecond * ms) / 1000;
  }
}

function checkRate(bytesPerSecond: number | undefined): number | undefined {
  if (bytesPerSecond !== undefined && !(bytesPerSecond >= 1))
    throw new RangeError('a rate is at least 1 byte a second');
  return bytesPerSecond;
}
