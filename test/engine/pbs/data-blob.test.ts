import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { fromHex, toHex, utf8 } from '../../../src/core/bytes.ts';
import { CorruptionError, SourceError } from '../../../src/core/errors.ts';
import { loadZstd } from '../../../src/engine/compression/zstd.ts';
import {
  crcMatches,
  decodeBlob,
  encodeBlob,
  readBlobHeader,
  type BlobEncoding,
} from '../../../src/engine/pbs/data-blob.ts';
import { chunkDigest, EncryptionKey } from '../../../src/engine/pbs/keys.ts';

const key = new EncryptionKey(Uint8Array.from({ length: 32 }, (_, at) => at));
const iv = Uint8Array.from({ length: 16 }, (_, at) => 0xa0 + at);
const greeting = utf8('Hello, PBS! '.repeat(4).trimEnd());

/** Made by Proxmox's own code with a fixed IV. */
const vectors: readonly [BlobEncoding, string][] = [
  ['plain', `42ab3807be8370a1e34ecac4${toHex(greeting)}`],
  ['zstd', '31b958426fb6a37f505f4c5228b52ffd202f9500006048656c6c6f2c20504253212001004e9624'],
  [
    'encrypted',
    '7b6785be222d4cf0dc2e87a2a0a1a2a3a4a5a6a7a8a9aaabacadaeafc338b6e7823e8e08fbe298007dc8f39d' +
      '62c64fd077e1ed2681cd3e91a571e1fced6963293c67708cb57706da761906d74ec2c743ddb6d3d1812510f25a1196',
  ],
  [
    'zstd-encrypted',
    'e6591bbf0bbfd80bd6c5530ea0a1a2a3a4a5a6a7a8a9aaabacadaeaf9c2ce65ed260f550975024f65fe48993' +
      '02160c4138e25876c3fe57d48178e2bca215012a5f1450acb3844e',
  ],
];

beforeAll(() => loadZstd());

describe('a blob', () => {
  it.each(vectors)('of kind %s made by PBS decodes', (encoding, hex) => {
    const blob = fromHex(hex);
    const header = readBlobHeader(blob);
    expect(header.encoding).toBe(encoding);
    expect(crcMatches(blob, header)).toBe(true);
    expect(decodeBlob(blob, { maxLength: 47, key })).toEqual(greeting);
  });

  it('is encoded as PBS does where compression has no say', () => {
    expect(toHex(encodeBlob(greeting))).toBe(vectors[0]?.[1]);
    expect(toHex(encodeBlob(greeting, { encryption: { key, iv } }))).toBe(vectors[2]?.[1]);
  });

  it('of nothing has a CRC of 0', () => {
    expect(toHex(encodeBlob(new Uint8Array()))).toBe('42ab3807be8370a100000000');
  });

  it('comes back from every kind', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4000 }), fc.boolean(), fc.boolean(), (data, compressed, encrypted) => {
        const blob = encodeBlob(data, {
          level: compressed ? 1 : undefined,
          encryption: encrypted ? { key, iv } : undefined,
        });
        expect(Buffer.from(decodeBlob(blob, { maxLength: data.byteLength, key })).equals(data)).toBe(true);
      }),
    );
  });

  it('is stored as it is when compression would not make it smaller', () => {
    const noise = chunkDigest(greeting);
    expect(readBlobHeader(encodeBlob(noise, { level: 1 })).encoding).toBe('plain');
    expect(readBlobHeader(encodeBlob(new Uint8Array(1000), { level: 1 })).encoding).toBe('zstd');
  });

  it('decodes a zstd frame that does not tell its content size', () => {
    // Frame descriptor 0: no content size; then a window of 1 KiB and one last raw block "abc".
    const frame = fromHex('28b52ffd0000190000616263');
    const blob = new Uint8Array([...fromHex('31b958426fb6a37f00000000'), ...frame]);
    expect(() => decodeBlob(blob, { maxLength: 3 })).toThrow(/CRC/);
    const good = encodeBlob(frame);
    good.set(blob.subarray(0, 8));
    expect(decodeBlob(good, { maxLength: 3 })).toEqual(utf8('abc'));
  });
});

describe('a bad blob', () => {
  const cases: readonly [string, Uint8Array, RegExp][] = [
    ['that is empty', new Uint8Array(), /0 bytes/],
    ['cut within its header', fromHex('42ab3807be8370a1e34eca'), /11 bytes/],
    ['encrypted and cut within the tag', fromHex('7b6785be222d4cf0').slice(0, 8), /8 bytes/],
    ['encrypted, with a header of 43 bytes', fromHex(vectors[2]?.[1].slice(0, 86) ?? ''), /too few for its kind/],
    ['of another magic', new Uint8Array(64), /magic/],
  ];
  it.each(cases)('%s is refused', (_, blob, message) => {
    expect(() => decodeBlob(blob, { maxLength: 100, key })).toThrow(message);
    expect(() => decodeBlob(blob, { maxLength: 100, key })).toThrow(CorruptionError);
  });

  it('with one changed bit never decodes to other data', () => {
    fc.assert(
      fc.property(fc.constantFrom(...vectors), fc.nat(), fc.integer({ min: 0, max: 7 }), ([, hex], at, bit) => {
        const blob = fromHex(hex);
        const place = at % blob.byteLength;
        blob[place] = (blob[place] ?? 0) ^ (1 << bit);
        expect(() => decodeBlob(blob, { maxLength: 47, key })).toThrow(CorruptionError);
      }),
      { numRuns: 500 },
    );
  });

  it('never yields more than was allowed', () => {
    const bomb = encodeBlob(new Uint8Array(8 * 1024 * 1024), { level: 1 });
    expect(bomb.byteLength).toBeLessThan(2000);
    expect(() => decodeBlob(bomb, { maxLength: 8 * 1024 * 1024 - 1 })).toThrow(CorruptionError);
    expect(() => decodeBlob(encodeBlob(greeting), { maxLength: 46 })).toThrow(CorruptionError);
  });

  it('made of noise behind a right header fails as corruption only', () => {
    const magics = vectors.map(([, hex]) => hex.slice(0, 16));
    fc.assert(
      fc.property(fc.constantFrom(...magics), fc.uint8Array({ maxLength: 300 }), (magic, noise) => {
        const blob = encodeBlob(noise);
        blob.set(fromHex(magic));
        try {
          decodeBlob(blob, { maxLength: 1000, key });
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptionError);
        }
      }),
    );
  });

  it('tells a missing key from a wrong one', () => {
    const blob = fromHex(vectors[3]?.[1] ?? '');
    expect(() => decodeBlob(blob, { maxLength: 47 })).toThrow(SourceError);
    const other = new EncryptionKey(new Uint8Array(32));
    expect(() => decodeBlob(blob, { maxLength: 47, key: other })).toThrow(/does not open with this key/);
  });
});

describe('a chunk digest', () => {
  const fourMebibytes = new Uint8Array(4 * 1024 * 1024);
  it.each([
    ['plain', greeting, undefined, '34b9550cf5cc06b04d7d9c0aedeb4b9db3b5c896d1ada1d33520fe3bd130772b'],
    ['keyed', greeting, key, '22f58cc2a9b80cd05bb394668917a33166755de36f1e62c0c24f7cbee5111b8c'],
    ['of 4 MiB of zeros', fourMebibytes, undefined, 'bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8'],
    [
      'of 4 MiB of zeros, keyed',
      fourMebibytes,
      key,
      '348571e12bbbedb529def1f1394316e338a01945d871df9ef792617ceb13d636',
    ],
  ])('%s is that of PBS', (_, data, withKey, digest) => {
    expect(toHex(chunkDigest(data, withKey))).toBe(digest);
  });
});
