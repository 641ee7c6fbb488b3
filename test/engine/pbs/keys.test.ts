import { inspect } from 'node:util';
import { pbkdf2Sync, createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../../src/core/bytes.ts';
import { CorruptionError, UsageError } from '../../../src/core/errors.ts';
import { Secret } from '../../../src/core/secret.ts';
import { EncryptionKey, formatFingerprint, openKeyFile, parseKeyFile } from '../../../src/engine/pbs/keys.ts';

const secret = Uint8Array.from({ length: 32 }, (_, at) => at);
const key = new EncryptionKey(secret);
const fingerprint = '0eabd4460b6eb9ca345023dee2b778c790e54a1683b9659c0a57ae199090159b';

const scryptFile = {
  kdf: { Scrypt: { n: 65536, r: 8, p: 1, salt: 'ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=' } },
  created: '2024-06-05T14:24:36+02:00',
  modified: '2024-06-05T14:24:36+02:00',
  data: 'oKGio6SlpqeoqaqrrK2urxK5oyjFtkiE9xeEtCXWEfriCES9md4cyeSRAy8pqP7bod0rAO6DYlpz8Lm6hbFvMA==',
};

function file(json: unknown): Uint8Array {
  return utf8(JSON.stringify(json));
}

describe('an encryption key', () => {
  it('has the id key and the fingerprint that PBS derives', () => {
    expect(toHex(key.idKey)).toBe('7c2c013efd07f3b25717a485263343cd4d292a4b65c200bb3b18ea227abe225c');
    expect(toHex(key.fingerprint)).toBe(fingerprint);
    expect(formatFingerprint(key.fingerprint.subarray(0, 8))).toBe('0e:ab:d4:46:0b:6e:b9:ca');
  });

  it('does not print itself', () => {
    expect(JSON.stringify({ key })).toBe('{"key":"[secret]"}');
    expect(inspect(key)).toBe('EncryptionKey 0e:ab:d4:46:0b:6e:b9:ca');
    expect(inspect({ key }, { showHidden: true })).not.toContain('0, 1, 2');
  });

  it('keeps its own copy', () => {
    const bytes = secret.slice();
    const copy = new EncryptionKey(bytes);
    bytes.fill(0);
    expect(copy.reveal()).toEqual(secret);
  });
});

describe('a key file', () => {
  it('without derivation holds the key itself', async () => {
    const parsed = parseKeyFile(file({ kdf: null, data: Buffer.from(secret).toString('base64') }));
    expect((await openKeyFile(parsed)).reveal()).toEqual(secret);
  });

  it('with scrypt opens with its passphrase, for which Node needs more memory than it grants by itself', async () => {
    const opened = await openKeyFile(parseKeyFile(file(scryptFile)), new Secret('secret'));
    expect(opened.reveal()).toEqual(secret);
  });

  it('with PBKDF2 opens with its passphrase', async () => {
    const salt = Buffer.alloc(32, 7);
    const cipher = createCipheriv('aes-256-gcm', pbkdf2Sync('secret', salt, 65535, 32, 'sha256'), Buffer.alloc(16, 1));
    const body = Buffer.concat([cipher.update(secret), cipher.final()]);
    const data = Buffer.concat([Buffer.alloc(16, 1), cipher.getAuthTag(), body]).toString('base64');
    const json = { kdf: { PBKDF2: { iter: 65535, salt: salt.toString('base64') } }, data };
    expect((await openKeyFile(parseKeyFile(file(json)), new Secret('secret'))).reveal()).toEqual(secret);
  });

  it('names a missing and a wrong passphrase', async () => {
    const parsed = parseKeyFile(file({ ...scryptFile, hint: 'as always' }));
    await expect(openKeyFile(parsed)).rejects.toMatchObject({ code: 'config.secret', hint: 'Its hint is: as always' });
    await expect(openKeyFile(parsed, new Secret('wrong'))).rejects.toBeInstanceOf(UsageError);
  });

  it('must have the fingerprint it says', async () => {
    const json = { kdf: null, data: Buffer.from(secret).toString('base64') };
    const right = parseKeyFile(file({ ...json, fingerprint: formatFingerprint(key.fingerprint) }));
    expect(toHex((await openKeyFile(right)).fingerprint)).toBe(fingerprint);
    const wrong = parseKeyFile(file({ ...json, fingerprint: formatFingerprint(new Uint8Array(32)) }));
    await expect(openKeyFile(wrong)).rejects.toBeInstanceOf(CorruptionError);
  });

  const base = { kdf: null, data: Buffer.from(secret).toString('base64') };
  it.each<[string, unknown]>([
    ['that is no object', []],
    ['without data', { kdf: null }],
    ['with short data', { ...base, data: 'AAAA' }],
    ['with bad base64', { ...base, data: `${base.data.slice(0, -2)}!=` }],
    ['of an unknown derivation', { ...base, kdf: { Argon: {} } }],
    ['of two derivations', { ...base, kdf: { ...scryptFile.kdf, PBKDF2: { iter: 1, salt: '' } } }],
    ['that asks for too much memory', { ...scryptFile, kdf: { Scrypt: { ...scryptFile.kdf.Scrypt, n: 2 ** 24 } } }],
    ['whose n is no power of two', { ...scryptFile, kdf: { Scrypt: { ...scryptFile.kdf.Scrypt, n: 65537 } } }],
    ['without iterations', { ...scryptFile, kdf: { PBKDF2: { iter: 0, salt: '' } } }],
  ])('%s is refused', (_, json) => {
    expect(() => parseKeyFile(file(json))).toThrow(CorruptionError);
  });

  it('of any JSON fails as corruption only', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        try {
          parseKeyFile(file(json));
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptionError);
        }
      }),
    );
  });
});
