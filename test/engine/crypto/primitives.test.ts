import { argon2id as wasmArgon2id } from 'hash-wasm';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, utf8 } from '../../../src/core/bytes.ts';
import { Secret } from '../../../src/core/secret.ts';
import { argon2id, argon2Limits } from '../../../src/engine/crypto/argon2.ts';
import { generateSeed, publicKeyOf, sign, verify } from '../../../src/engine/crypto/ed25519.ts';
import { hkdfSha256 } from '../../../src/engine/crypto/hkdf.ts';
import { sha256, sha256Hex } from '../../../src/engine/crypto/sha256.ts';
import { bitFlips, counting, seededRandom } from '../format/fixtures.ts';

describe('SHA-256', () => {
  it('gives the vector of FIPS 180-4 for "abc", in one part or several', () => {
    const expected = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    expect(sha256Hex(utf8('abc'))).toBe(expected);
    expect(toHex(sha256(utf8('a'), new Uint8Array(0), utf8('bc')))).toBe(expected);
  });
});

describe('HKDF-SHA256', () => {
  it('gives test case 1 of RFC 5869', () => {
    const okm = hkdfSha256(new Uint8Array(22).fill(0x0b), counting(13), counting(10, 0xf0), 42);
    expect(toHex(okm)).toBe('3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865');
  });
});

describe('Ed25519', () => {
  // RFC 8032, section 7.1, tests 1 and 2.
  it.each([
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
  ])('gives the vector of RFC 8032 with seed %s', (seed, publicKey, message, signature) => {
    expect(toHex(publicKeyOf(fromHex(seed)))).toBe(publicKey);
    expect(toHex(sign(fromHex(seed), fromHex(message)))).toBe(signature);
    expect(verify(fromHex(publicKey), fromHex(message), fromHex(signature))).toBe(true);
  });

  it('refuses a signature with any bit changed, and things of a wrong length', () => {
    const seed = generateSeed(seededRandom('ed25519'));
    const key = publicKeyOf(seed);
    const message = utf8('message');
    const signature = sign(seed, message);
    for (const [bit, flipped] of bitFlips(signature)) expect(verify(key, message, flipped), String(bit)).toBe(false);
    expect(verify(key, utf8('massage'), signature)).toBe(false);
    expect(verify(key.subarray(1), message, signature)).toBe(false);
    expect(verify(new Uint8Array(32).fill(255), message, signature)).toBe(false);
    expect(verify(key, message, signature.subarray(1))).toBe(false);
    expect(() => sign(seed.subarray(1), message)).toThrow(RangeError);
  });
});

describe('Argon2id', () => {
  const cheap = { memoryKiB: argon2Limits.memoryKiB.least, passes: 1, lanes: 1, salt: counting(16) };

  it('rests on a second implementation that gives the vector of the reference implementation', async () => {
    const hash = await wasmArgon2id({
      password: 'password',
      salt: 'somesalt',
      iterations: 2,
      parallelism: 1,
      memorySize: 65_536,
      hashLength: 32,
      outputType: 'hex',
    });
    expect(hash).toBe('09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7');
  });

  it('gives the same 64 bytes by the fast implementation and the second one, also for lanes and passes', async () => {
    const params = { ...cheap, passes: 2, lanes: 3 };
    const wasm = await argon2id(new Secret('pässword'), params, 'wasm');
    expect(wasm.byteLength).toBe(64);
    expect(toHex(await argon2id(new Secret('pässword'), params))).toBe(toHex(wasm));
  });

  it('takes composed and decomposed letters for the same', async () => {
    const composed = await argon2id(new Secret('\u00e9'), cheap);
    expect(toHex(await argon2id(new Secret('e\u0301'), cheap))).toBe(toHex(composed));
  });

  it.each([
    ['too little memory', { memoryKiB: 65_535 }],
    ['too much memory', { memoryKiB: 4_194_305 }],
    ['no passes', { passes: 0 }],
    ['too many passes', { passes: 65 }],
    ['too many lanes', { lanes: 17 }],
    ['a fraction', { lanes: 1.5 }],
    ['a short salt', { salt: counting(15) }],
  ])('refuses %s before it starts', async (_, change) => {
    await expect(argon2id(new Secret('x'), { ...cheap, ...change })).rejects.toThrow(RangeError);
  });
});
