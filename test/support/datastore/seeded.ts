/** Bytes and numbers that follow from a text, fast: AES-128 in counter mode under the hash of the text. */
import { createCipheriv, createHash, type Cipher } from 'node:crypto';
import type { Random } from '../../../src/core/random.ts';

export class SeededRandom implements Random {
  readonly #stream: Cipher;

  constructor(seed: string) {
    const key = createHash('sha256').update(seed).digest();
    this.#stream = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16));
  }

  bytes(length: number): Uint8Array {
    return this.#stream.update(new Uint8Array(length));
  }

  below(limit: number): number {
    return Buffer.from(this.bytes(6)).readUIntLE(0, 6) % limit;
  }
}

/** A number in [0, 1) that follows from four small numbers, for millions of decisions (32-bit mixing of MurmurHash3). */
export function decide(seed: number, a: number, b: number, c: number): number {
  let hash = seed | 0;
  for (const value of [a, b, c]) {
    hash = Math.imul(hash ^ value, 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return (hash >>> 0) / 2 ** 32;
}

/** A seed for `decide`. */
export function seedNumber(text: string): number {
  return createHash('sha256').update(text).digest().readInt32LE(0);
}
