import { expect, it } from 'vitest';
import { PackCredit } from '../../../src/engine/compute/pack-credit.ts';

it('gives what is free, and gets it back', () => {
  const credit = PackCredit.create(10 * 2 ** 20, 2);
  const worker = PackCredit.view(credit.memory);
  expect(worker.take(6 * 2 ** 20, 0)).toBe(true);
  expect(credit.freeBytes).toBe(4 * 2 ** 20);
  credit.give(6 * 2 ** 20);
  expect(worker.freeBytes).toBe(10 * 2 ** 20);
});

it('gives nothing to a dropped repository, and everything to the others', () => {
  const credit = PackCredit.create(2 ** 20, 2);
  credit.drop(1);
  expect(credit.take(1, 1)).toBe(false);
  expect(credit.take(1, 0)).toBe(true);
  expect([credit.isDropped(0), credit.isDropped(1)]).toEqual([false, true]);
});

it('gives nothing to anybody once stopped', () => {
  const credit = PackCredit.create(2 ** 20, 1);
  credit.stop();
  expect(credit.take(1, 0)).toBe(false);
});
