/** Many new things, one fire: when nothing new came for a while, or the first has waited long enough. Pure. */
import type { Settle } from './trigger.ts';

/** Times of a clock that never goes back, in milliseconds. */
export interface Unsettled {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Something new came at `nowMs`. */
export function unsettled(before: Unsettled | undefined, nowMs: number): Unsettled {
  return { firstMs: before?.firstMs ?? nowMs, lastMs: nowMs };
}

export function settlesAt({ firstMs, lastMs }: Unsettled, { minMs, maxMs }: Settle): number {
  return Math.min(lastMs + minMs, firstMs + maxMs);
}
