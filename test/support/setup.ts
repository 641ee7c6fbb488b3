import { afterEach, beforeEach, expect } from 'vitest';
import { leaksSince, openThings, watchWorkers } from './leaks.ts';

watchWorkers();

let before: string[] = [];

beforeEach(() => {
  before = openThings();
});

// Registered first, so it runs after the afterEach hooks of the test file.
afterEach(async () => {
  expect(await leaksSince(before), 'left open by this test').toEqual([]);
});
