import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { loadZstd } from '../../../src/engine/compression/zstd.ts';
import {
  chunkError,
  readChunkFile,
  type ChunkExpectation,
  type ChunkProblemKind,
} from '../../../src/engine/pbs/chunk-reader.ts';
import { encodeBlob, maxChunkFileBytes } from '../../../src/engine/pbs/data-blob.ts';
import { chunkDigest, EncryptionKey } from '../../../src/engine/pbs/keys.ts';
import { damageFile, type Damage } from '../../support/datastore/damage.ts';

await loadZstd();

const key = new EncryptionKey(new Uint8Array(32).fill(1));
const data = utf8('chunk data, '.repeat(1000));
const iv = new Uint8Array(16).fill(2);
const plain: ChunkExpectation = {
  digest: chunkDigest(data),
  length: data.byteLength,
  cryptMode: 'none',
  verify: 'digest',
};
const keyed: ChunkExpectation = {
  digest: chunkDigest(data, key),
  length: data.byteLength,
  cryptMode: 'encrypt',
  verify: 'digest',
  key,
};

let folder: string;
let path: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nestegg-chunk-'));
});

beforeEach(async () => {
  path = join(folder, 'chunk');
  await rm(folder, { recursive: true });
  await mkdir(folder);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function problem(expectation: ChunkExpectation): ChunkProblemKind | undefined {
  const reading = readChunkFile(path, expectation);
  return reading.outcome === 'bad' ? reading.problem.kind : undefined;
}

describe('a good chunk', () => {
  const blobs = {
    plain: encodeBlob(data),
    zstd: encodeBlob(data, { level: 3 }),
    encrypted: encodeBlob(data, { encryption: { key, iv } }),
    'zstd-encrypted': encodeBlob(data, { level: 3, encryption: { key, iv } }),
  };

  it.each([
    ['plain', plain, 'plain'],
    ['zstd', plain, 'plain'],
    ['zstd', { ...plain, cryptMode: 'sign-only' }, 'plain'],
    ['zstd', { ...plain, verify: 'crc' }, 'unverified'],
    ['encrypted', keyed, 'keyed'],
    ['zstd-encrypted', keyed, 'keyed'],
    ['zstd-encrypted', { ...keyed, key: undefined }, 'unverified'],
    ['zstd-encrypted', { ...keyed, verify: 'crc' }, 'unverified'],
  ] as const)('stored %s is handed out as it is stored (%#)', async (encoding, expectation, assurance) => {
    await writeFile(path, blobs[encoding]);
    expect(readChunkFile(path, expectation)).toEqual({ outcome: 'read', blob: blobs[encoding], assurance });
  });

  it('is read into the buffer it is given', async () => {
    await writeFile(path, blobs.zstd);
    const scratch = new Uint8Array(maxChunkFileBytes);
    const reading = readChunkFile(path, plain, scratch);
    expect(reading.outcome === 'read' && reading.blob.buffer).toBe(scratch.buffer);
    expect(reading).toMatchObject({ blob: blobs.zstd });
  });
});

describe('a bad chunk', () => {
  it.each<[Damage, ChunkProblemKind]>([
    ['flip', 'wrong-crc'],
    ['truncate', 'wrong-crc'],
    ['empty', 'zero-length'],
    ['remove', 'missing'],
    ['set-aside', 'marked-bad'],
  ])('after %s is %s, whatever is verified', async (damage, kind) => {
    await writeFile(path, encodeBlob(data, { level: 3 }));
    await damageFile(path, damage);
    expect(problem(plain)).toBe(kind);
    expect(problem({ ...plain, verify: 'crc' })).toBe(kind);
  });

  const other = utf8('other data, '.repeat(1000));
  it.each<[ChunkProblemKind, string, Uint8Array, ChunkExpectation]>([
    ['truncated', 'cut within its header', encodeBlob(data).subarray(0, 11), plain],
    ['not-a-blob', 'of another magic', new Uint8Array(100), plain],
    ['wrong-mode', 'encrypted, in a plain index', encodeBlob(data, { encryption: { key, iv } }), plain],
    ['wrong-mode', 'plain, in an encrypted index', encodeBlob(data), keyed],
    ['wrong-mode', 'plain, in an encrypted index without key', encodeBlob(data), { ...keyed, key: undefined }],
    ['wrong-length', 'uncompressed and too long', encodeBlob(new Uint8Array(12_001)), plain],
    [
      'wrong-length',
      'uncompressed and too long, only its CRC asked for',
      encodeBlob(new Uint8Array(12_001)),
      { ...plain, verify: 'crc' },
    ],
    [
      'wrong-length',
      'encrypted and too short, without key',
      encodeBlob(new Uint8Array(9), { encryption: { key, iv } }),
      { ...keyed, key: undefined },
    ],
    ['wrong-length', 'compressed and too short', encodeBlob(new Uint8Array(11_999), { level: 1 }), plain],
    ['undecodable', 'compressed and too long', encodeBlob(new Uint8Array(12_001), { level: 1 }), plain],
    [
      'undecodable',
      'encrypted with another key',
      encodeBlob(data, { encryption: { key: new EncryptionKey(new Uint8Array(32)), iv } }),
      keyed,
    ],
    ['wrong-digest', 'of other data', encodeBlob(other), plain],
    ['wrong-digest', 'of other data, encrypted', encodeBlob(other, { level: 1, encryption: { key, iv } }), keyed],
    ['too-long', 'longer than any chunk', new Uint8Array(maxChunkFileBytes + 1), plain],
  ])('is %s when it is %s', async (kind, _, blob, expectation) => {
    await writeFile(path, blob);
    expect(problem(expectation)).toBe(kind);
  });

  it('that is a folder is unreadable', async () => {
    await mkdir(path);
    expect(problem(plain)).toBe('unreadable');
  });

  it('becomes an error that names file and reason', () => {
    const reading = readChunkFile(path, plain);
    if (reading.outcome !== 'bad') throw new Error('there is no chunk');
    expect(structuredClone(reading)).toEqual(reading);
    expect(chunkError(reading.problem)).toMatchObject({
      name: 'SourceError',
      code: 'source.missing',
      message: expect.stringContaining(path) as string,
    });
  });
});
