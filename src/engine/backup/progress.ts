import type { Clock } from '../../core/clock.ts';
import type { BackupEvents, BackupProgress } from './backup.ts';

const leastMs = 250;
/** The rate is that of about the last ten seconds. */
const rateMs = 10_000;

/** Counts what a run has done and tells it at most four times a second. */
export class ProgressMeter {
  readonly #events: BackupEvents | undefined;
  readonly #clock: Clock;
  readonly #uploaded: () => number;
  readonly #startedMs: number;
  #toldMs = -Infinity;
  #phase: BackupProgress['phase'] = 'list';
  #item: string | undefined;
  #doneBytes = 0;
  #totalBytes: number | undefined;
  #doneItems = 0;
  #totalItems: number | undefined;
  #mark: { readonly ms: number; readonly bytes: number };
  #rate = 0;

  constructor(clock: Clock, events: BackupEvents | undefined, uploaded: () => number) {
    this.#clock = clock;
    this.#events = events;
    this.#uploaded = uploaded;
    this.#startedMs = clock.monotonic();
    this.#mark = { ms: this.#startedMs, bytes: 0 };
  }

  get elapsedMs(): number {
    return this.#clock.monotonic() - this.#startedMs;
  }

  phase(phase: BackupProgress['phase'], item?: string): void {
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
    if (!this.#events?.progress) return;
    const now = this.#clock.monotonic();
    if (!atOnce && now - this.#toldMs < leastMs) return;
    this.#toldMs = now;
    const span = now - this.#mark.ms;
    if (span > 0) this.#rate = ((this.#doneBytes - this.#mark.bytes) * 1000) / span;
    if (span > rateMs) this.#mark = { ms: now, bytes: this.#doneBytes };
    this.#events.progress({
      phase: this.#phase,
      ...(this.#item === undefined ? {} : { item: this.#item }),
      doneBytes: this.#doneBytes,
      ...(this.#totalBytes === undefined ? {} : { totalBytes: this.#totalBytes }),
      doneItems: this.#doneItems,
      ...(this.#totalItems === undefined ? {} : { totalItems: this.#totalItems }),
      uploadedBytes: this.#uploaded(),
      bytesPerSecond: Math.round(this.#rate),
    });
  }
}
