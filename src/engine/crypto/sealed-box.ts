/**
 * Sealed boxes: `nonce (24) ‖ ciphertext ‖ tag (16)`, XChaCha20-Poly1305 with a hedged nonce (repository format,
 * section 2; draft-irtf-cfrg-xchacha-03). HChaCha20 is one block in JavaScript; the bulk is Node's OpenSSL.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { hchacha } from '@noble/ciphers/chacha.js';
import { equalBytes } from '../../core/bytes.ts';
import { CorruptionError } from '../../core/errors.ts';
import { KeyedBlake3 } from './blake3.ts';

const nonceBytes = 24;
const tagBytes = 16;
/** What a box is longer than its plaintext. */
export const sealedOverhead = nonceBytes + tagBytes;

/** Bytes given to OpenSSL at once: larger pieces make Node allocate results outside of the processor's cache. */
const pieceBytes = 64 * 1024;

/** "expand 32-byte k" as little-endian words (RFC 8439, section 2.3). */
const sigma = Uint32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574);

/** Encryption key ‖ nonce key. Make one a purpose and epoch and keep it. */
export class SealingKey {
  readonly #words: Uint32Array;
  readonly #nonce: KeyedBlake3;

  /** @param bytes 64 bytes; copied. @throws RangeError for another length. */
  constructor(bytes: Uint8Array) {
    if (bytes.byteLength !== 64) throw new RangeError('a sealing key has 64 bytes');
    this.#words = wordsOf(bytes.subarray(0, 32));
    this.#nonce = new KeyedBlake3(bytes.subarray(32));
  }

  /** The nonce of this input: hedged, so that a broken random source repeats it only for equal input. */
  nonceFor(ad: Uint8Array, plain: Uint8Array, salt: Uint8Array): Uint8Array {
    const adLength = new Uint8Array(4);
    new DataView(adLength.buffer).setUint32(0, ad.byteLength, true);
    return this.#nonce.digest(salt, adLength, ad, plain).subarray(0, nonceBytes);
  }

  /** Key and nonce of the inner ChaCha20-Poly1305 for a 24-byte nonce. */
  inner(nonce: Uint8Array): { readonly key: Uint8Array; readonly nonce: Uint8Array } {
    const subkey = new Uint32Array(8);
    hchacha(sigma, this.#words, wordsOf(nonce.subarray(0, 16)), subkey);
    const innerNonce = new Uint8Array(12);
    innerNonce.set(nonce.subarray(16), 4);
    return { key: bytesOf(subkey), nonce: innerNonce };
  }
}

/**
 * Seals `plain` into `target` at `offset` and returns the length of the box, `plain.byteLength + sealedOverhead`.
 * @param salt 32 fresh random bytes of this object or pack; not stored.
 * @throws RangeError when the box does not fit or the salt has another length; nothing is written then.
 */
export function sealInto(
  target: Uint8Array,
  offset: number,
  key: SealingKey,
  ad: Uint8Array,
  plain: Uint8Array,
  salt: Uint8Array,
): number {
  const length = plain.byteLength + sealedOverhead;
  if (offset < 0 || offset + length > target.byteLength) throw new RangeError('the sealed box does not fit');
  if (salt.byteLength !== 32) throw new RangeError('the salt of a sealed box has 32 bytes');
  const nonce = key.nonceFor(ad, plain, salt);
  const inner = key.inner(nonce);
  const cipher = createCipheriv('chacha20-poly1305', inner.key, inner.nonce, { authTagLength: tagBytes });
  cipher.setAAD(ad, { plaintextLength: plain.byteLength });
  target.set(nonce, offset);
  for (const at of pieces(plain)) {
    target.set(cipher.update(plain.subarray(at, at + pieceBytes)), offset + nonceBytes + at);
  }
  cipher.final();
  target.set(cipher.getAuthTag(), offset + nonceBytes + plain.byteLength);
  return length;
}

/** The same into a box of its own. */
export function seal(key: SealingKey, ad: Uint8Array, plain: Uint8Array, salt: Uint8Array): Uint8Array {
  const box = new Uint8Array(plain.byteLength + sealedOverhead);
  sealInto(box, 0, key, ad, plain, salt);
  return box;
}

/**
 * The plaintext of a box, in memory of its own.
 * @throws CorruptionError when the box was not sealed with this key and associated data, or was changed since.
 */
export function open(key: SealingKey, ad: Uint8Array, box: Uint8Array): Uint8Array {
  // Not zeroed: all of it is written, or nothing of it is returned.
  const plain = Buffer.allocUnsafeSlow(Math.max(0, box.byteLength - sealedOverhead));
  decipher(key, ad, box, (piece, at) => {
    plain.set(piece, at);
  });
  return new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
}

/** Whether a box opens to exactly these bytes, without memory for the whole plaintext. */
export function opensTo(key: SealingKey, ad: Uint8Array, box: Uint8Array, expected: Uint8Array): boolean {
  if (box.byteLength !== expected.byteLength + sealedOverhead) return false;
  let equal = true;
  try {
    decipher(key, ad, box, (piece, at) => {
      equal &&= equalBytes(piece, expected.subarray(at, at + piece.byteLength));
    });
  } catch (error) {
    if (error instanceof CorruptionError) return false;
    throw error;
  }
  return equal;
}

/** Gives every piece of the plaintext to `take`, before it is known to be authentic: it is so only when this returns. */
function decipher(
  key: SealingKey,
  ad: Uint8Array,
  box: Uint8Array,
  take: (piece: Uint8Array, at: number) => void,
): void {
  const length = box.byteLength - sealedOverhead;
  if (length < 0) throw new CorruptionError('a sealed box is cut short');
  const inner = key.inner(box.subarray(0, nonceBytes));
  const cipher = createDecipheriv('chacha20-poly1305', inner.key, inner.nonce, { authTagLength: tagBytes });
  cipher.setAAD(ad, { plaintextLength: length });
  cipher.setAuthTag(box.subarray(nonceBytes + length));
  const ciphertext = box.subarray(nonceBytes, nonceBytes + length);
  for (const at of pieces(ciphertext)) take(cipher.update(ciphertext.subarray(at, at + pieceBytes)), at);
  try {
    cipher.final();
  } catch (error) {
    throw new CorruptionError('a sealed box does not open: it is damaged, or was sealed with another key', {
      cause: error,
    });
  }
}

/** Where the pieces begin; one for no bytes at all, because OpenSSL wants a text. */
function* pieces(bytes: Uint8Array): Generator<number> {
  yield 0;
  for (let at = pieceBytes; at < bytes.byteLength; at += pieceBytes) yield at;
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const words = new Uint32Array(bytes.byteLength / 4);
  for (let at = 0; at < words.length; at += 1) words[at] = view.getUint32(at * 4, true);
  return words;
}

function bytesOf(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < words.length; at += 1) view.setUint32(at * 4, words[at] ?? 0, true);
  return bytes;
}
