/** Ed25519 (RFC 8032, pure) with raw keys: a seed has 32 bytes, a public key 32, a signature 64. */
import {
  createPrivateKey,
  createPublicKey,
  sign as signBytes,
  verify as verifyBytes,
  type KeyObject,
} from 'node:crypto';
import type { Random } from '../../core/random.ts';
import { concatBytes, fromHex } from '../../core/bytes.ts';

export const signatureBytes = 64;

// DER around a raw key (RFC 8410): PKCS #8 for a seed, SubjectPublicKeyInfo for a public key.
const pkcs8Prefix = fromHex('302e020100300506032b657004220420');
const spkiPrefix = fromHex('302a300506032b6570032100');

export function generateSeed(random: Random): Uint8Array {
  return random.bytes(32);
}

/** @throws RangeError unless the seed has 32 bytes. */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  const der = createPublicKey(privateKey(seed)).export({ type: 'spki', format: 'der' });
  return new Uint8Array(der.subarray(spkiPrefix.byteLength));
}

/** @throws RangeError unless the seed has 32 bytes. */
export function sign(seed: Uint8Array, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(signBytes(null, bytes, privateKey(seed)));
}

/** False for every wrong signature, also for keys and signatures of a wrong length. */
export function verify(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.byteLength !== 32 || signature.byteLength !== signatureBytes) return false;
  try {
    const key = createPublicKey({ key: der(spkiPrefix, publicKey), format: 'der', type: 'spki' });
    return verifyBytes(null, bytes, key, signature);
  } catch {
    // OpenSSL refuses some byte strings as a key; nothing verifies under them.
    return false;
  }
}

function privateKey(seed: Uint8Array): KeyObject {
  if (seed.byteLength !== 32) throw new RangeError('an Ed25519 seed has 32 bytes');
  return createPrivateKey({ key: der(pkcs8Prefix, seed), format: 'der', type: 'pkcs8' });
}

function der(prefix: Uint8Array, raw: Uint8Array): Buffer {
  return Buffer.from(concatBytes(prefix, raw).buffer);
}
