/** One line of progress on a terminal, drawn over itself; nothing where there is no terminal. */
import type { Clock } from '../core/clock.ts';
import { formatDuration, formatSize } from '../core/units.ts';
import type { TaskProgress } from '../daemon/api/contract.ts';
import { plain } from './output.ts';
import type { TextSink } from './world.ts';

const drawEveryMs = 100;
/** An estimate earlier than this, or further off the average than this factor, is a guess. */
const trustedAfterMs = 10_000;
const trustedShare = 0.02;
const trustedFactor = 2;

/** Milliseconds that are left, when the figures allow to say so honestly. */
export function estimateMs(progress: TaskProgress, elapsedMs: number): number | undefined {
  const { doneBytes, totalBytes, bytesPerSecond } = progress;
  if (totalBytes === undefined || doneBytes <= 0 || elapsedMs < trustedAfterMs) return undefined;
  if (doneBytes / totalBytes < trustedShare || bytesPerSecond <= 0) return undefined;
  const average = (doneBytes / elapsedMs) * 1000;
  const ratio = bytesPerSecond / average;
  if (ratio > trustedFactor || ratio < 1 / trustedFactor) return undefined;
  return ((totalBytes - doneBytes) / average) * 1000;
}

export function progressText(progress: TaskProgress, elapsedMs: number): string {
  const { phase, item, doneBytes, totalBytes, doneItems, totalItems, uploadedBytes, bytesPerSecond } = progress;
  const parts = [phase];
  if (totalBytes === undefined || totalBytes <= 0) parts.push(formatSize(doneBytes));
  else {
    const percent = Math.min(100, Math.floor((doneBytes / totalBytes) * 100));
    parts.push(`${formatSize(doneBytes)} of ${formatSize(totalBytes)} (${String(percent)} %)`);
  }
  parts.push(`${String(doneItems)}${totalItems === undefined ? '' : ` of ${String(totalItems)}`} items`);
  if (bytesPerSecond > 0) parts.push(`${formatSize(Math.round(bytesPerSecond))}/s`);
  if (uploadedBytes > 0) parts.push(`${formatSize(uploadedBytes)} stored`);
  const left = estimateMs(progress, elapsedMs);
  if (left !== undefined) parts.push(`${formatDuration(left)} left`);
  if (item !== undefined) parts.push(item);
  return plain(parts.join(' · '));
}

export class ProgressLine {
  readonly #sink: TextSink;
  readonly #clock: Clock;
  readonly #startedMs: number;
  #drawnMs = -Infinity;
  #drawn = false;

  constructor(sink: TextSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
    this.#startedMs = clock.monotonic();
  }

  update(progress: TaskProgress): void {
    const nowMs = this.#clock.monotonic();
    if (!this.#sink.isTerminal || nowMs - this.#drawnMs < drawEveryMs) return;
    this.#drawnMs = nowMs;
    this.#drawn = true;
    const text = progressText(progress, nowMs - this.#startedMs);
    this.#sink.write(`\r\u{1B}[2K${text.slice(0, Math.max(20, this.#sink.columns - 1))}`);
  }

  /** Takes the line away, so that other text can follow. */
  clear(): void {
    if (this.#drawn) this.#sink.write('\r\u{1B}[2K');
    this.#drawn = false;
  }
}
