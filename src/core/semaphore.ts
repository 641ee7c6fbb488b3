import { CancelledError } from './errors.ts';

/** A budget of units (bytes, slots). `take` waits in order of arrival; a request larger than the whole budget waits for all of it. */
export class Semaphore {
  readonly #total: number;
  #free: number;
  readonly #waiting: { readonly amount: number; readonly grant: () => void }[] = [];

  constructor(total: number) {
    this.#total = total;
    this.#free = total;
  }

  get used(): number {
    return this.#total - this.#free;
  }

  /** Resolves with the function that gives the units back (idempotent). @throws CancelledError when aborted while waiting. */
  async take(amount: number, signal?: AbortSignal): Promise<() => void> {
    const wanted = Math.min(amount, this.#total);
    if (signal?.aborted) throw new CancelledError();
    if (this.#waiting.length > 0 || this.#free < wanted) await this.#wait(wanted, signal);
    else this.#free -= wanted;
    return this.#release(wanted);
  }

  /** Like `take`, but at once or not at all. */
  tryTake(amount: number): (() => void) | undefined {
    const wanted = Math.min(amount, this.#total);
    if (this.#waiting.length > 0 || this.#free < wanted) return undefined;
    this.#free -= wanted;
    return this.#release(wanted);
  }

  #wait(amount: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry = {
        amount,
        grant: () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        this.#serve();
        reject(new CancelledError());
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.push(entry);
    });
  }

  #release(amount: number): () => void {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#free += amount;
      this.#serve();
    };
  }

  #serve(): void {
    for (let head = this.#waiting[0]; head && head.amount <= this.#free; head = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= head.amount;
      head.grant();
    }
  }
}
