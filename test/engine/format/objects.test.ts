import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/core/binary.ts';
import { concatBytes, equalBytes, utf8 } from '../../../src/core/bytes.ts';
import { CorruptionError } from '../../../src/core/errors.ts';
import { blobId, entryId, packId } from '../../../src/core/ids.ts';
import { loadZstd } from '../../../src/engine/compression/zstd.ts';
import { loadBlake3 } from '../../../src/engine/crypto/blake3.ts';
import { seal } from '../../../src/engine/crypto/sealed-box.ts';
import { sha256Hex } from '../../../src/engine/crypto/sha256.ts';
import type { BlobKind } from '../../../src/engine/format/blob.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../../src/engine/format/checkpoint.ts';
import { decodeIndexSegment, encodeIndexSegment, type IndexedPack } from '../../../src/engine/format/index-segment.ts';
import {
  checkpointName,
  entryName,
  keySlotName,
  packName,
  parseObjectName,
  segmentName,
  wrappedRootName,
} from '../../../src/engine/format/names.ts';
import {
  associatedData,
  decodeEnvelope,
  encodeEnvelope,
  encodeHeader,
  padded,
} from '../../../src/engine/format/object.ts';
import { bitFlips, counting, fixedKeys, repository, seededRandom } from './fixtures.ts';
import { samplePacks, state } from './samples.ts';

beforeAll(async () => {
  await loadBlake3();
  await loadZstd();
});

const keys = fixedKeys();

describe('Padmé', () => {
  it.each([
    [0, 0],
    [1, 1],
    [2, 2],
    [9, 10],
    [16, 16],
    [17, 18],
    [1000, 1024],
    [1025, 1088],
    [1_000_000, 1_015_808],
    [2 ** 28, 2 ** 28],
  ])('pads %i to %i', (length, expected) => {
    expect(padded(length)).toBe(expected);
  });

  it('is the formula of the format page, never more than 12 % longer, and idempotent', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 2 ** 30 }), (length) => {
        const exponent = Math.floor(Math.log2(length));
        const mask = 2 ** (exponent - (Math.floor(Math.log2(exponent)) + 1)) - 1;
        expect(padded(length)).toBe(Number((BigInt(length) + BigInt(mask)) & ~BigInt(mask)));
        expect(padded(length)).toBeLessThanOrEqual(length * 1.12 + 1);
        expect(padded(padded(length))).toBe(padded(length));
      }),
    );
  });
});

describe('envelopes', () => {
  it('give the content back, and refuse every change of their frame', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.boolean(), (content, compress) => {
        const envelope = encodeEnvelope(content, compress ? 3 : 'off');
        expect(padded(envelope.byteLength)).toBe(envelope.byteLength);
        expect(equalBytes(decodeEnvelope(envelope, 500), content)).toBe(true);
      }),
    );
    const envelope = encodeEnvelope(counting(200), 'off');
    expect(() => decodeEnvelope(envelope, 199)).toThrow(DecodeError);
    expect(() => decodeEnvelope(envelope.subarray(1), 1000)).toThrow();
    expect(() => decodeEnvelope(concatBytes(envelope, Uint8Array.of(0)), 1000)).toThrow(DecodeError);
    const dirty = envelope.slice();
    dirty[dirty.byteLength - 1] = 1;
    expect(envelope.byteLength).toBeGreaterThan(209);
    expect(() => decodeEnvelope(dirty, 1000)).toThrow(DecodeError);
  });
});

describe('index segments', () => {
  const kind = fc.constantFrom<BlobKind>('data', 'tree', 'list', 'snapshot', 'config');
  const entry = fc.tuple(kind, fc.nat(200), fc.uint8Array({ minLength: 32, maxLength: 32 }));
  const packs: fc.Arbitrary<readonly IndexedPack[]> = fc
    .array(fc.tuple(fc.array(entry, { maxLength: 20 }), fc.nat(5)), { maxLength: 8 })
    .map((all) =>
      all.map(([entries, epoch], index) => {
        let offset = 0;
        return {
          id: packId(sha256Hex(Uint8Array.of(index))),
          sizeBytes: 100_000,
          epoch,
          entries: entries.map(([each, plainLength, id]) => {
            const sealedLength = plainLength + 40;
            offset += sealedLength;
            return { kind: each, codec: 0, id: blobId(id), offset: offset - sealedLength, sealedLength, plainLength };
          }),
        };
      }),
    );

  it('give the packs back', () => {
    fc.assert(
      fc.property(packs, (all) => {
        const { id, bytes } = encodeIndexSegment(keys, all, seededRandom('segment'));
        expect(sha256Hex(bytes)).toBe(id);
        expect(decodeIndexSegment(keys, bytes)).toEqual(all);
      }),
      { numRuns: 50 },
    );
  });

  it('hold 100,000 entries', () => {
    const entries = Array.from({ length: 100_000 }, (_, index) => ({
      kind: 'pbs-chunk' as const,
      codec: 0 as const,
      id: blobId(counting(32, index)),
      offset: index * 50,
      sealedLength: 50,
      plainLength: 10,
    }));
    const pack = { id: packId('ab'.repeat(32)), sizeBytes: 16_000_000, epoch: 1, entries };
    const { bytes } = encodeIndexSegment(keys, [pack], seededRandom('large'));
    const [decoded] = decodeIndexSegment(keys, bytes);
    expect(decoded?.entries).toHaveLength(100_000);
    expect(decoded?.entries.at(-1)).toEqual(entries.at(-1));
  });

  it('refuse bit flips, cuts and noise', () => {
    const { bytes } = encodeIndexSegment(keys, samplePacks(), seededRandom('flip'));
    for (const [, flipped] of bitFlips(bytes)) expect(() => decodeIndexSegment(keys, flipped)).toThrow(CorruptionError);
    for (let length = 0; length < bytes.byteLength; length++) {
      expect(() => decodeIndexSegment(keys, bytes.subarray(0, length))).toThrow(CorruptionError);
    }
  });

  it('refuse well-sealed nonsense without asking for memory', () => {
    const forge = (content: Uint8Array): Uint8Array =>
      concatBytes(
        encodeHeader('segment', { roles: 0, epoch: 1 }),
        seal(
          keys.sealingKey('index', 1),
          associatedData(repository, 'segment', 1),
          encodeEnvelope(content, 'off'),
          counting(32),
        ),
      );
    const row = (size: number, count: number): Uint8Array => {
      const bytes = new Uint8Array(44);
      new DataView(bytes.buffer).setUint32(32, size, true);
      new DataView(bytes.buffer).setUint32(40, count, true);
      return bytes;
    };
    const one = Uint8Array.of(1, 0, 0, 0);
    const entry = new Uint8Array(46);
    for (const content of [
      Uint8Array.of(255, 255, 255, 255),
      concatBytes(one, row(1000, 2 ** 20)),
      concatBytes(one, row(2 ** 31, 0)),
      concatBytes(one, row(1000, 1), entry),
      concatBytes(one, row(1000, 0), utf8('more')),
      concatBytes(Uint8Array.of(2, 0, 0, 0), row(1000, 0), row(1000, 0)),
    ]) {
      expect(() => decodeIndexSegment(keys, forge(content))).toThrow(CorruptionError);
    }
    expect(decodeIndexSegment(keys, forge(concatBytes(one, row(1000, 0))))).toHaveLength(1);
  });
});

describe('checkpoints', () => {
  it('give the state back and know damaged from foreign', () => {
    const { id, name, bytes } = encodeCheckpoint({ keys, state, random: seededRandom('checkpoint') });
    expect(name).toBe(checkpointName(4711, id));
    expect(decodeCheckpoint(keys, name, bytes)).toEqual(state);
    for (const [, flipped] of bitFlips(bytes, 11)) {
      const damaged = expect.objectContaining({ code: 'repository.corrupt' }) as Error;
      expect(() => decodeCheckpoint(keys, name, flipped)).toThrow(damaged);
    }
    const foreign = expect.objectContaining({ code: 'repository.foreign' }) as Error;
    expect(() => decodeCheckpoint(keys, name.replace('1267', '1268'), bytes)).toThrow(foreign);
    const other = bytes.slice();
    other[20] = (other[20] ?? 0) ^ 1;
    expect(() => decodeCheckpoint(keys, `checkpoints/0000000000001267.${sha256Hex(other)}`, other)).toThrow(foreign);
  });
});

describe('object names', () => {
  const hex = sha256Hex(utf8('x'));

  it('parse to what they were built from', () => {
    const parsed = parseObjectName(packName(packId(hex)));
    expect(parsed).toEqual({ type: 'pack', id: hex });
    expect(parseObjectName('nestegg.json')).toEqual({ type: 'hint' });
    expect(parseObjectName(keySlotName(repository))).toEqual({ type: 'key-slot', id: repository });
    expect(parseObjectName(wrappedRootName(255, hex))).toEqual({ type: 'wrapped-root', epoch: 255, sha256: hex });
    expect(parseObjectName(segmentName(hex as never))).toEqual({ type: 'segment', id: hex });
    const entry = { type: 'entry', writer: hex, sequence: 300, id: hex } as const;
    expect(parseObjectName(entryName(hex as never, 300, entryId(hex)))).toEqual(entry);
    expect(parseObjectName(checkpointName(0, hex as never))).toEqual({ type: 'checkpoint', entries: 0, id: hex });
  });

  it.each([
    '',
    'packs',
    `packs/00/${hex}`,
    `packs/${hex}`,
    `index/${hex.toUpperCase()}`,
    `index/${hex}.tmp`,
    `x/index/${hex}`,
    `journal/${hex}/0000000000000000.${hex}`,
    `journal/${hex}/ffffffffffffffff.${hex}`,
    `keys/epoch-1.${hex}`,
    'nestegg.json\n',
  ])('does not take %j for an object of the format', (name) => {
    expect(parseObjectName(name)).toBeUndefined();
  });
});
