import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { planPool } from '../../../src/engine/compute/pool-plan.ts';

const MiB = 2 ** 20;

describe('planning the pool', () => {
  const rows = [
    [
      'one disk, many cores',
      { threads: 8, budgetBytes: 192 * MiB, packBytes: [16 * MiB] },
      { threads: 8, openPerWorker: 1 },
    ],
    [
      'two packs stay open in a single thread',
      { threads: 1, budgetBytes: 192 * MiB, packBytes: [40 * MiB] },
      { threads: 1, openPerWorker: 2 },
    ],
    [
      'threads follow from the budget',
      { threads: 8, budgetBytes: 192 * MiB, packBytes: [40 * MiB] },
      { threads: 3, openPerWorker: 1 },
    ],
    [
      'without room for a pack on its way',
      { threads: 2, budgetBytes: 192 * MiB, packBytes: [40 * MiB, 40 * MiB] },
      { threads: 2, openPerWorker: 1 },
    ],
    [
      'one open pack when there is no room for two',
      { threads: 2, budgetBytes: 192 * MiB, packBytes: [64 * MiB, 64 * MiB] },
      { threads: 1, openPerWorker: 1 },
    ],
  ] as const;
  it.each(rows)('%s', (_name, wish, plan) => {
    expect(planPool(wish)).toEqual(plan);
  });

  it('refuses a budget that holds not one pack of every repository', () => {
    expect(() => planPool({ threads: 2, budgetBytes: 192 * MiB, packBytes: [100 * MiB, 100 * MiB] })).toThrow(
      UsageError,
    );
  });

  it('never lets open packs alone exceed the budget', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 32, max: 1024 }),
        fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 8 }),
        (threads, budget, packs) => {
          const wish = { threads, budgetBytes: budget * MiB, packBytes: packs.map((pack) => pack * MiB) };
          const all = wish.packBytes.reduce((sum, bytes) => sum + bytes, 0);
          if (all > wish.budgetBytes) return;
          const plan = planPool(wish);
          expect(plan.threads * plan.openPerWorker * all).toBeLessThanOrEqual(wish.budgetBytes);
          expect(plan.threads).toBeLessThanOrEqual(threads);
        },
      ),
    );
  });
});
