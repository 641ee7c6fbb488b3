import type { Clock } from './clock.ts';

/** How far a run is. Totals are absent while they are unknown: no invented percentages. */
export interface Progress<Phase extends string> {
  readonly phase: Phase;
  readonly item?: string;
  readonly doneBytes: number;
  readonly totalBytes?: number;
  readonly doneItems: number;
  readonly totalItems?: number;
  readonly bytesPerSecond: number;
}

const leastMs = 250;
/** The rate is that of about the last ten seconds. */
const rateMs = 10_000;

/** Counts what a run has done and tells it at most four times a second, and whenever the phase changes. */
export class ProgressMeter<Phase extends string> {
  readonly #clock: Clock;
  readonly #tellTo: ((progress: Progress<Phase>) => void) | undefined;
  readonly #startedMs: number;
  #toldMs = -Infinity;
  #phase: Phase;
  #item: string | undefined;
  #doneBytes = 0;
  #totalBytes: number | undefined;
  #doneItems = 0;
  #totalItems: number | undefined;
  #mark: { readonly ms: number; readonly bytes: number };
  #rate = 0;

  constructor(clock: Clock, first: Phase, tell: ((progress: Progress<Phase>) => void) | undefined) {
    this.#clock = clock;
    this.#phase = first;
    this.#tellTo = tell;
    this.#startedMs = clock.monotonic();
    this.#mark = { ms: this.#startedMs, bytes: 0 };
  }

  get elapsedMs(): number {
    return this.#clock.monotonic() - this.#startedMs;
  }

  phase(phase: Phase, item?: string): void {
    this.#phase = phase;
    this.#item = item;
    this.#tell(true);
  }

  totals(items: number, bytes: number | undefined): void {
    this.#totalItems = items;
    this.#totalBytes = bytes;
  }

  bytes(count: number): void {
    this.#doneBytes += count;
    this.#tell(false);
  }

  itemDone(): void {
    this.#doneItems += 1;
    this.#tell(false);
  }

  #tell(atOnce: boolean): void {
    if (!this.#tellTo) return;
    const now = this.#clock.monotonic();
    if (!atOnce && now - this.#toldMs < leastMs) return;
    this.#toldMs = now;
    const span = now - this.#mark.ms;
    if (span > 0) this.#rate = ((this.#doneBytes - this.#mark.bytes) * 1000) / span;
    if (span > rateMs) this.#mark = { ms: now, bytes: this.#doneBytes };
    this.#tellTo({
      phase: this.#phase,
      ...(this.#item === undefined ? {} : { item: this.#item }),
      doneBytes: this.#doneBytes,
      ...(this.#totalBytes === undefined ? {} : { totalBytes: this.#totalBytes }),
      doneItems: this.#doneItems,
      ...(this.#totalItems === undefined ? {} : { totalItems: this.#totalItems }),
      bytesPerSecond: Math.round(this.#rate),
    });
  }
}
