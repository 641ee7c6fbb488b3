import { randomBytes, randomInt } from 'node:crypto';

/** Randomness as the program sees it; tests and the simulation inject a seeded one. */
export interface Random {
  /** `length` fresh random bytes, owned by the caller. */
  bytes(length: number): Uint8Array;
  /** A uniform integer in [0, limit). `limit` is at least 1 and below 2^48. */
  below(limit: number): number;
}

export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  below: (limit) => randomInt(limit),
};
