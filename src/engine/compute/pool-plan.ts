/**
 * How many threads, and how many open packs in each, fit into the byte budget. Pure.
 *
 * The law: all packs that can be open at once fit into the budget together, so that a worker which waits for credit
 * always waits for an upload, never for another worker. Over all workers at least two packs of every repository are
 * open and filled at random, unless the budget is too small even for that.
 */
import { UsageError } from '../../core/errors.ts';

export interface PoolWish {
  readonly threads: number;
  readonly budgetBytes: number;
  /** For every repository: the bytes of memory that one of its packs takes. */
  readonly packBytes: readonly number[];
}

export interface PoolPlan {
  readonly threads: number;
  readonly openPerWorker: number;
}

/** @throws UsageError when one open pack of every repository is already more than the budget. */
export function planPool(wish: PoolWish): PoolPlan {
  const all = wish.packBytes.reduce((sum, bytes) => sum + bytes, 0);
  const largest = Math.max(0, ...wish.packBytes);
  const threads = Math.max(1, Math.floor(wish.threads));
  const openPerWorker = (count: number): number => (count === 1 ? 2 : 1);
  const open = (count: number): number => count * openPerWorker(count) * all;
  for (const spare of [largest, 0]) {
    for (let count = threads; count >= 1; count -= 1) {
      if (open(count) + spare <= wish.budgetBytes) return { threads: count, openPerWorker: openPerWorker(count) };
    }
  }
  if (all <= wish.budgetBytes) return { threads: 1, openPerWorker: 1 };
  throw new UsageError('the packs of all repositories of this backup do not fit into the memory budget', {
    hint: 'Give the backup fewer repositories, smaller packs, or a larger budget for packs in flight.',
    context: { budgetBytes: wish.budgetBytes, neededBytes: all },
  });
}
