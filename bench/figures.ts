/** How figures are told, and the middle of several. */
import type { Goal } from './bench.ts';

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

export function rate(bytes: number, ms: number): string {
  return `${(bytes / 2 ** 20 / (ms / 1000)).toFixed(0)} MiB/s`;
}

export function times(ratio: number): string {
  return `${ratio.toFixed(ratio < 10 ? 2 : 1)} ×`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

export function milliseconds(ms: number): string {
  return `${ms.toFixed(1)} ms`;
}

export function atMost(limit: number, value: number, show: (value: number) => string): Goal {
  return { text: `≤ ${show(limit)}`, met: value <= limit };
}

export function atLeast(limit: number, value: number, show: (value: number) => string): Goal {
  return { text: `≥ ${show(limit)}`, met: value >= limit };
}

/** The one with the middle value; of an even number the higher one. @throws RangeError without any. */
export function middle<T>(all: readonly T[], valueOf: (one: T) => number): T {
  const sorted = [...all].sort((a, b) => valueOf(a) - valueOf(b));
  const found = sorted[Math.floor(sorted.length / 2)];
  if (found === undefined) throw new RangeError('the middle of nothing');
  return found;
}

/** The value that `share` of all do not exceed. @throws RangeError without any. */
export function quantile(all: readonly number[], share: number): number {
  const sorted = [...all].sort((a, b) => a - b);
  const found = sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
  if (found === undefined) throw new RangeError('a quantile of nothing');
  return found;
}
