import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes, equalBytes, fromHex, toHex, utf8 } from '../../../src/core/bytes.ts';
import { CorruptionError } from '../../../src/core/errors.ts';
import { KeyedBlake3, loadBlake3 } from '../../../src/engine/crypto/blake3.ts';
import { open, opensTo, seal, sealedOverhead, sealInto, SealingKey } from '../../../src/engine/crypto/sealed-box.ts';
import { bitFlips, counting, seededRandom } from '../format/fixtures.ts';

const keyBytes = counting(64, 0x80);
const salt = counting(32);

beforeAll(async () => {
  await loadBlake3();
});

describe('sealed box', () => {
  it('opens the vector of draft-irtf-cfrg-xchacha-03, A.3.1', () => {
    const plain =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
    const box = fromHex(
      '404142434445464748494a4b4c4d4e4f5051525354555657' +
        'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216' +
        'cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e' +
        'c0875924c1c7987947deafd8780acf49',
    );
    const key = new SealingKey(concatBytes(counting(32, 0x80), new Uint8Array(32)));
    expect(Buffer.from(open(key, fromHex('50515253c0c1c2c3c4c5c6c7'), box)).toString()).toBe(plain);
  });

  it('gives the bytes of the oracle, with the nonce of the format page', () => {
    const bytes = fc.uint8Array({ maxLength: 400 });
    fc.assert(
      fc.property(bytes, bytes, fc.uint8Array({ minLength: 64, maxLength: 64 }), (ad, plain, raw) => {
        const box = seal(new SealingKey(raw), ad, plain, salt);
        const adLength = Uint8Array.of(ad.length & 255, ad.length >> 8, 0, 0);
        const nonce = new KeyedBlake3(raw.subarray(32)).digest(concatBytes(salt, adLength, ad, plain)).subarray(0, 24);
        const expected = xchacha20poly1305(raw.subarray(0, 32), nonce, ad).encrypt(plain);
        expect(toHex(box)).toBe(toHex(concatBytes(nonce, expected)));
        expect(box.byteLength).toBe(plain.byteLength + sealedOverhead);
        expect(toHex(open(new SealingKey(raw), ad, box))).toBe(toHex(plain));
      }),
    );
  });

  it('opens neither with any bit changed in box or associated data, nor cut short, nor with another key', () => {
    const key = new SealingKey(keyBytes);
    const ad = utf8('associated');
    const box = seal(key, ad, utf8('plaintext'), salt);
    for (const [, flipped] of bitFlips(box)) expect(() => open(key, ad, flipped)).toThrow(CorruptionError);
    for (const [, flipped] of bitFlips(ad)) expect(() => open(key, flipped, box)).toThrow(CorruptionError);
    for (let length = 0; length < box.byteLength; length++) {
      expect(() => open(key, ad, box.subarray(0, length))).toThrow(CorruptionError);
    }
    expect(() => open(new SealingKey(counting(64)), ad, box)).toThrow(CorruptionError);
  });

  it('gives the same for texts of many pieces', () => {
    const key = new SealingKey(keyBytes);
    for (const length of [0, 65_535, 65_536, 65_537, 200_000]) {
      const plain = counting(length);
      const ad = utf8('long');
      const box = seal(key, ad, plain, salt);
      const oracle = xchacha20poly1305(keyBytes.subarray(0, 32), box.subarray(0, 24), ad).encrypt(plain);
      expect(equalBytes(box.subarray(24), oracle)).toBe(true);
      expect(equalBytes(open(key, ad, box), plain)).toBe(true);
      expect(opensTo(key, ad, box, plain)).toBe(true);
      expect(opensTo(key, ad, box, counting(length + 1))).toBe(false);
      expect(opensTo(key, utf8('other'), box, plain)).toBe(false);
      if (length === 0) continue;
      const other = plain.slice();
      other[length - 1] = (other[length - 1] ?? 0) ^ 1;
      expect(opensTo(key, ad, box, other)).toBe(false);
      box[box.byteLength - 20] = (box[box.byteLength - 20] ?? 0) ^ 1;
      expect(opensTo(key, ad, box, plain)).toBe(false);
      expect(() => open(key, ad, box)).toThrow(CorruptionError);
    }
  });

  it('writes into a buffer at an offset, and nothing beside it', () => {
    const key = new SealingKey(keyBytes);
    const target = new Uint8Array(100).fill(7);
    expect(sealInto(target, 10, key, utf8('ad'), counting(20), salt)).toBe(60);
    expect(toHex(target.subarray(10, 70))).toBe(toHex(seal(key, utf8('ad'), counting(20), salt)));
    expect(toHex(target.subarray(0, 10))).toBe('07'.repeat(10));
    expect(toHex(target.subarray(70))).toBe('07'.repeat(30));
    expect(() => sealInto(target, 41, key, utf8('ad'), counting(20), salt)).toThrow(RangeError);
    expect(() => sealInto(target, 0, key, utf8('ad'), counting(20), counting(31))).toThrow(RangeError);
  });

  it('never repeats a nonce for equal input with fresh salts', () => {
    const key = new SealingKey(keyBytes);
    const random = seededRandom('nonces');
    const nonces = new Set<string>();
    for (let turn = 0; turn < 5000; turn++) {
      nonces.add(toHex(seal(key, utf8('ad'), utf8('same'), random.bytes(32)).subarray(0, 24)));
    }
    expect(nonces.size).toBe(5000);
  });

  it('repeats a nonce under a broken random source only for equal input', () => {
    const key = new SealingKey(keyBytes);
    const nonces = new Map<string, string>();
    const bytes = fc.uint8Array({ maxLength: 6 });
    fc.assert(
      fc.property(bytes, bytes, (ad, plain) => {
        const nonce = toHex(key.nonceFor(ad, plain, salt));
        const what = `${toHex(ad)}|${toHex(plain)}`;
        expect(nonces.get(nonce) ?? what).toBe(what);
        nonces.set(nonce, what);
        expect(toHex(key.nonceFor(ad, plain, salt))).toBe(nonce);
      }),
      { numRuns: 2000 },
    );
  });
});
