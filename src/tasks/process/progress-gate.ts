/** Lets progress pass at most four times a second; the latest value is never lost, those between are. */
import type { Clock } from '../../core/clock.ts';
import type { TaskProgress } from '../task.ts';

const pauseMs = 250;

export class ProgressGate {
  readonly #clock: Clock;
  readonly #pass: (progress: TaskProgress) => void;
  readonly #over = new AbortController();
  #waiting: TaskProgress | undefined;
  #pausing = false;

  constructor(clock: Clock, pass: (progress: TaskProgress) => void) {
    this.#clock = clock;
    this.#pass = pass;
  }

  offer(progress: TaskProgress): void {
    if (this.#over.signal.aborted) return;
    this.#waiting = progress;
    if (!this.#pausing) this.#release();
  }

  /** Passes the latest value on and stops. */
  close(): void {
    this.#over.abort();
    if (this.#waiting !== undefined) this.#pass(this.#waiting);
    this.#waiting = undefined;
  }

  #release(): void {
    this.#pausing = false;
    if (this.#waiting === undefined) return;
    this.#pass(this.#waiting);
    this.#waiting = undefined;
    this.#pausing = true;
    this.#clock.sleep(pauseMs, { signal: this.#over.signal, unref: true }).then(
      () => {
        this.#release();
      },
      () => undefined,
    );
  }
}
