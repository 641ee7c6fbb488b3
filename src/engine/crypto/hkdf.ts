/** HKDF-SHA256 (RFC 5869), extract and expand in one. */
import { hkdfSync } from 'node:crypto';

/** @param length of the result in bytes, at most 8,160. */
export function hkdfSha256(secret: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, salt, info, length));
}
