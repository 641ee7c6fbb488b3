import { scryptSync } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../../src/core/bytes.ts';
import { CorruptionError } from '../../../src/core/errors.ts';
import { loadZstd } from '../../../src/engine/compression/zstd.ts';
import { encodeBlob } from '../../../src/engine/pbs/data-blob.ts';
import { EncryptionKey, formatFingerprint } from '../../../src/engine/pbs/keys.ts';
import {
  checkManifestPlace,
  checkSignature,
  decodeManifest,
  encodeManifest,
  parseManifest,
  sameProtectedPart,
  signedText,
} from '../../../src/engine/pbs/manifest.ts';

const key = new EncryptionKey(scryptSync('test', '', 32, { N: 65536, r: 8, p: 1, maxmem: 2 ** 28 }));
const signature = 'd7b446fb7db081662081d4b40fedd858a1d6307a5aff4ecff7d5bf4fd35679e9';

/** The manifest of PBS's own unit test. */
const example = {
  'backup-type': 'host',
  'backup-id': 'elsa',
  'backup-time': 1593179765,
  files: [
    { filename: 'test1.img.fidx', 'crypt-mode': 'encrypt', size: 200, csum: '01'.repeat(32) },
    { filename: 'abc.blob', 'crypt-mode': 'none', size: 200, csum: '02'.repeat(32) },
  ],
  signature: null as string | null,
  unprotected: {} as Record<string, unknown>,
};

function parse(changes: Record<string, unknown> = {}): ReturnType<typeof parseManifest> {
  return parseManifest(utf8(JSON.stringify({ ...example, ...changes })));
}

function withFile(changes: Record<string, unknown>): Record<string, unknown> {
  return { files: [{ ...example.files[0], ...changes }] };
}

beforeAll(() => loadZstd());

describe('a manifest', () => {
  it('is read with its files', () => {
    const manifest = parse();
    expect(manifest).toMatchObject({ type: 'host', id: 'elsa', timeSeconds: 1593179765, signature: undefined });
    expect(manifest.files.map(({ name, kind, cryptMode, size }) => [name, kind, cryptMode, size])).toEqual([
      ['test1.img.fidx', 'fixed', 'encrypt', 200],
      ['abc.blob', 'blob', 'none', 200],
    ]);
    expect(toHex(manifest.files[0]?.checksum ?? new Uint8Array())).toBe('01'.repeat(32));
  });

  it('of very old PBS has no crypt modes and no unprotected part', () => {
    const manifest = parse({ ...withFile({ 'crypt-mode': undefined }), unprotected: undefined });
    expect(manifest.files[0]?.cryptMode).toBe('none');
    expect(manifest.unprotected).toEqual({});
  });

  it('has the canonical form and the signature that PBS computes', () => {
    expect(Buffer.from(signedText(example)).toString()).toBe(
      '{"backup-id":"elsa","backup-time":1593179765,"backup-type":"host","files":[' +
        `{"crypt-mode":"encrypt","csum":"${'01'.repeat(32)}","filename":"test1.img.fidx","size":200},` +
        `{"crypt-mode":"none","csum":"${'02'.repeat(32)}","filename":"abc.blob","size":200}]}`,
    );
    expect(toHex(key.reveal())).toBe('28cdb1a3bef39396c3860e00d448fe7a0efd8244486ab6feb30457681d31597e');
    expect(checkSignature(parse({ signature }), key)).toBe('valid');
  });

  it('tells wrong key, bad signature and none from each other', () => {
    const other = new EncryptionKey(new Uint8Array(32));
    const unprotected = { 'key-fingerprint': formatFingerprint(key.fingerprint) };
    expect(checkSignature(parse(), key)).toBe('unsigned');
    expect(checkSignature(parse({ signature, unprotected }), other)).toBe('wrong-key');
    expect(checkSignature(parse({ signature }), other)).toBe('invalid');
    expect(checkSignature(parse({ signature, 'backup-id': 'anna' }), key)).toBe('invalid');
    expect(checkSignature(parse({ signature, unprotected }), key)).toBe('valid');
  });

  it('is encoded as PBS writes it, and signed', () => {
    const text = Buffer.from(encodeManifest(example, key)).toString();
    expect(text).toMatch(/^\{\n {2}"backup-id": "elsa",\n {2}"backup-time": 1593179765,/);
    expect(toHex(parseManifest(utf8(text)).signature ?? new Uint8Array())).toBe(signature);
  });

  it('is the same but for its unprotected part', () => {
    expect(sameProtectedPart(parse(), parse({ unprotected: { notes: 'hello' } }))).toBe(true);
    expect(sameProtectedPart(parse(), parse(withFile({ size: 201 })))).toBe(false);
    expect(sameProtectedPart(parse(), parse({ signature }))).toBe(false);
  });

  it('must lie in the folder of its own snapshot', () => {
    const place = { type: 'host', id: 'elsa', timeSeconds: 1593179765 } as const;
    expect(() => checkManifestPlace(parse(), place)).not.toThrow();
    expect(() => checkManifestPlace(parse(), { ...place, id: 'anna' })).toThrow(CorruptionError);
    expect(() => checkManifestPlace(parse(), { ...place, type: 'vm' })).toThrow(CorruptionError);
    expect(() => checkManifestPlace(parse(), { ...place, timeSeconds: 1 })).toThrow(CorruptionError);
  });
});

describe('a bad manifest', () => {
  const names = [
    '../x.blob',
    '/etc/x.blob',
    'a/b.fidx',
    '..blob',
    '.hidden.blob',
    'x',
    'x.fidx\0',
    'x.fidx\n',
    'index.json.blob',
    '',
  ];
  it.each([...names, `${'a'.repeat(255)}.blob`])('that names the file %j is refused', (filename) => {
    expect(() => parse(withFile({ filename }))).toThrow(/which no manifest may name/);
  });

  it.each<[string, Record<string, unknown>]>([
    ['names a file twice', { files: [example.files[1], example.files[1]] }],
    ['has an unknown type', { 'backup-type': 'lxc' }],
    ['has a path for an id', { 'backup-id': '../100' }],
    ['has a time that is no integer', { 'backup-time': 1.5 }],
    ['has a time that is a text', { 'backup-time': '1' }],
    ['has no files', { files: undefined }],
    ['has a file that is a text', { files: ['x'] }],
    ['has a negative size', withFile({ size: -1 })],
    ['has a size that is no safe integer', withFile({ size: 2 ** 60 })],
    ['has a short checksum', withFile({ csum: '01' })],
    ['has an upper-case checksum', withFile({ csum: 'AB'.repeat(32) })],
    ['has an unknown crypt mode', withFile({ 'crypt-mode': 'rot13' })],
    ['has a bad signature', { signature: 'x' }],
    ['has a list for its unprotected part', { unprotected: [] }],
  ])('that %s is refused', (_, changes) => {
    expect(() => parse(changes)).toThrow(CorruptionError);
  });

  it('is refused when encrypted, nested too deeply or not UTF-8', () => {
    const encrypted = encodeBlob(utf8(JSON.stringify(example)), { encryption: { key, iv: new Uint8Array(16) } });
    expect(() => decodeManifest(encrypted)).toThrow(/encrypted/);
    expect(() => parseManifest(utf8(`{"x":${'['.repeat(1e6)}${']'.repeat(1e6)}}`))).toThrow(/too deeply/);
    expect(() => parseManifest(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]))).toThrow(/not JSON/);
  });

  it('has no canonical form with null or fractions in it, and is then not signed', () => {
    expect(() => signedText({ a: null })).toThrow(CorruptionError);
    expect(() => signedText({ a: [0.5] })).toThrow(CorruptionError);
  });

  it('of any JSON fails as corruption only', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...Object.keys(example)), fc.jsonValue()), (changes) => {
        try {
          checkSignature(parse(changes), key);
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptionError);
        }
      }),
    );
  });
});
