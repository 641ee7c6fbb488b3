import { createHash } from 'node:crypto';
import { digest, repositoryId, runId, type Digest } from '../../../src/core/ids.ts';
import type { Random } from '../../../src/core/random.ts';
import { RepositoryKeys } from '../../../src/engine/format/keys.ts';

/** Deterministic bytes: SHA-256 of the seed and a counter. */
export function seededRandom(seed: string): Random {
  let counter = 0;
  const block = (): Buffer =>
    createHash('sha256')
      .update(`${seed} ${String(counter++)}`)
      .digest();
  return {
    bytes(length) {
      const out = new Uint8Array(length);
      for (let at = 0; at < length; at += 32) out.set(block().subarray(0, Math.min(32, length - at)), at);
      return out;
    },
    below: (limit) => block().readUIntLE(0, 6) % limit,
  };
}

/** The bytes start, start + 1, … (mod 256). */
export function counting(length: number, start = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (start + index) & 255);
}

export const repository = repositoryId('000102030405060708090a0b0c0d0e0f');
export const run = runId('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff');
export const seed = counting(32, 0x40);

/** Keys with two epochs, so that nothing works by accident with epoch 0 alone. */
export function fixedKeys(): RepositoryKeys {
  return RepositoryKeys.derive(repository, [counting(32, 0x10), counting(32, 0x80)]);
}

export function someDigest(start: number): Digest {
  return digest(counting(32, start));
}

/** Every copy of the bytes with one bit changed, with the number of the bit. */
export function* bitFlips(bytes: Uint8Array, step = 1): Generator<readonly [number, Uint8Array]> {
  for (let bit = 0; bit < bytes.byteLength * 8; bit += step) {
    const flipped = bytes.slice();
    const at = bit >>> 3;
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit & 7));
    yield [bit, flipped];
  }
}

/** Whether an optional package can be loaded here; without it there is only one implementation to test. */
export async function installed(name: string): Promise<boolean> {
  return await import(name).then(
    () => true,
    () => false,
  );
}
