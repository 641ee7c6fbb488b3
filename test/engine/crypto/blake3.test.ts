import fc from 'fast-check';
import { blake3 as oracle } from 'hash-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes, toHex, utf8 } from '../../../src/core/bytes.ts';
import {
  blake3,
  blake3Implementation,
  KeyedBlake3,
  loadBlake3,
  type Blake3Implementation,
} from '../../../src/engine/crypto/blake3.ts';
import { installed } from '../format/fixtures.ts';

// From the official test_vectors.json of BLAKE3: input length, hash, keyed hash. Input: bytes 0 to 250, repeated.
const vectorKey = utf8('whats the Elvish word for friend');
const vectors = [
  [
    0,
    'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262',
    '92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26',
  ],
  [
    1,
    '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213',
    '6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b',
  ],
  [
    1024,
    '42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7',
    '75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4',
  ],
] as const;

function input(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index % 251);
}

const implementations: readonly Blake3Implementation[] = (await installed('@napi-rs/blake-hash'))
  ? ['native', 'wasm']
  : ['wasm'];

describe.each(implementations)('BLAKE3 by %s', (implementation) => {
  beforeAll(async () => {
    await loadBlake3(implementation);
  });

  it('is the implementation that was asked for', () => {
    expect(blake3Implementation()).toBe(implementation);
  });

  it.each(vectors)('gives the official vectors for %i bytes', (length, hash, keyed) => {
    expect(toHex(blake3(input(length)))).toBe(hash);
    expect(toHex(new KeyedBlake3(vectorKey).digest(input(length)))).toBe(keyed);
  });

  it('hashes the concatenation of the parts, with keys in any order', async () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 5 });
    const keys = fc.uint8Array({ minLength: 32, maxLength: 32 });
    await fc.assert(
      fc.asyncProperty(parts, keys, keys, async (all, key, other) => {
        const whole = concatBytes(...all);
        const first = new KeyedBlake3(key);
        const second = new KeyedBlake3(other);
        second.digest(whole);
        expect(toHex(first.digest(...all))).toBe(await oracle(whole, 256, key));
        expect(toHex(second.digest(...all))).toBe(await oracle(whole, 256, other));
        expect(toHex(blake3(...all))).toBe(await oracle(whole));
      }),
      { numRuns: 40 },
    );
  });

  it('gives results that later calls leave alone', () => {
    const hasher = new KeyedBlake3(vectorKey);
    const first = hasher.digest(input(5));
    const before = toHex(first);
    hasher.digest(input(6));
    expect(toHex(first)).toBe(before);
  });

  it('refuses keys of a wrong length', () => {
    expect(() => new KeyedBlake3(new Uint8Array(31))).toThrow(RangeError);
  });
});
