/** SHA-256 (FIPS 180-4) of whole inputs, by Node's OpenSSL. */
import { createHash } from 'node:crypto';

/** SHA-256 of the concatenation of the parts. 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(digestOf(parts).digest());
}

/** The same as 64 lower-case hex digits. */
export function sha256Hex(...parts: readonly Uint8Array[]): string {
  return digestOf(parts).digest('hex');
}

function digestOf(parts: readonly Uint8Array[]): ReturnType<typeof createHash> {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash;
}
