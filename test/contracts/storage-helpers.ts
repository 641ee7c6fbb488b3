import { expect } from 'vitest';
import { StorageError } from '../../src/core/errors.ts';
import type { ObjectInfo, ObjectName } from '../../src/engine/storage/storage.ts';

/** Pseudo-random bytes, the same for the same seed. */
export function bytes(length: number, seed = 1): Uint8Array {
  const out = new Uint8Array(length);
  let state = seed * 2_654_435_761 + 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    out[at] = state >>> 24;
  }
  return out;
}

/** The distinct names of a listing, sorted. */
export async function names(listing: AsyncIterable<ObjectInfo>): Promise<ObjectName[]> {
  const found = new Set<ObjectName>();
  for await (const { name } of listing) found.add(name);
  return [...found].sort();
}

/** What the work throws. @throws Error when it throws nothing. */
export async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => {
      throw new Error(`it succeeded: ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );
}

/** The work throws a `StorageError` of this code. */
export async function expectCode(work: Promise<unknown>, code: string): Promise<void> {
  const error = await failure(work);
  expect(error).toBeInstanceOf(StorageError);
  expect((error as StorageError).code).toBe(code);
}
