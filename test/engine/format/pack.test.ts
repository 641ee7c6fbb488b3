import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { equalBytes, toHex } from '../../../src/core/bytes.ts';
import { CorruptionError, NesteggError } from '../../../src/core/errors.ts';
import { blobId } from '../../../src/core/ids.ts';
import { encodeContent } from '../../../src/engine/compression/compress.ts';
import { loadZstd } from '../../../src/engine/compression/zstd.ts';
import { loadBlake3 } from '../../../src/engine/crypto/blake3.ts';
import { SealingKey } from '../../../src/engine/crypto/sealed-box.ts';
import { sha256Hex } from '../../../src/engine/crypto/sha256.ts';
import { RepositoryKeys } from '../../../src/engine/format/keys.ts';
import { padded } from '../../../src/engine/format/object.ts';
import { PackBuilder } from '../../../src/engine/format/pack.ts';
import { openBlob, type BlobKind } from '../../../src/engine/format/blob.ts';
import { readPackDirectory, readPackTrailer, trailerBytes } from '../../../src/engine/format/pack-directory.ts';
import { bitFlips, counting, fixedKeys, repository, seededRandom } from './fixtures.ts';
import { contents, samplePack } from './samples.ts';

beforeAll(async () => {
  await loadBlake3();
  await loadZstd();
});

const keys = fixedKeys();
const kinds: readonly BlobKind[] = ['data', 'tree', 'list', 'snapshot', 'config'];

function sealedOf(pack: Uint8Array, entry: { readonly offset: number; readonly sealedLength: number }): Uint8Array {
  return pack.subarray(entry.offset, entry.offset + entry.sealedLength);
}

describe('PackBuilder', () => {
  it('gives back every content of any pack, from its directory alone', () => {
    const blob = fc.record({ kind: fc.constantFrom(...kinds), content: fc.uint8Array({ maxLength: 2000 }) });
    fc.assert(
      fc.property(fc.array(blob, { minLength: 1, maxLength: 12 }), fc.boolean(), (blobs, slabs) => {
        const slabBytes = slabs ? 8192 : undefined;
        const builder = new PackBuilder({ keys, capacityBytes: 65_536, slabBytes, random: seededRandom('p') });
        const added = blobs.filter(({ kind, content }, index) => {
          const { codec, encoded } = encodeContent(content, 'auto');
          return builder.add(kind, blobId(counting(32, index)), codec, encoded, content.byteLength);
        });
        expect(added).toHaveLength(blobs.length);
        const { id, bytes, entries, epoch } = builder.finish();
        expect(sha256Hex(bytes)).toBe(id);
        expect(bytes.byteOffset).toBe(0);
        expect(bytes.buffer.byteLength).toBeLessThanOrEqual(2 * bytes.byteLength);
        expect(slabs ? bytes.byteLength % 8192 : padded(bytes.byteLength) - bytes.byteLength).toBe(0);
        const directory = readPackDirectory(keys, bytes);
        expect(directory.epoch).toBe(epoch);
        expect(directory.entries).toEqual(entries);
        for (const [index, entry] of directory.entries.entries()) {
          expect(entry.kind).toBe(blobs[index]?.kind);
          const opened = openBlob(keys, epoch, entry, sealedOf(bytes, entry));
          expect(equalBytes(opened, blobs[index]?.content ?? counting(1))).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('says when it is full, never exceeds its capacity, and gives a large blob a pack of its own', () => {
    const builder = new PackBuilder({ keys, capacityBytes: 4096, random: seededRandom('full') });
    let count = 0;
    while (builder.add('data', blobId(counting(32, count)), 0, counting(100), 100)) count++;
    expect(builder.count).toBe(count);
    expect(builder.bytesUsed).toBe(count * 140);
    expect(builder.finish().bytes.byteLength).toBe(4096);
    const large = new PackBuilder({ keys, capacityBytes: 4096, random: seededRandom('large') });
    expect(large.add('data', blobId(counting(32)), 0, counting(5000), 5000)).toBe(true);
    expect(large.add('data', blobId(counting(32, 1)), 0, counting(5000), 5000)).toBe(false);
    expect(readPackDirectory(keys, large.finish().bytes).entries).toHaveLength(1);
  });

  it('refuses what the format does not allow, and use after the end', () => {
    const builder = new PackBuilder({ keys, capacityBytes: 4096, random: seededRandom('refuse') });
    const id = blobId(counting(32));
    expect(() => builder.finish()).toThrow(NesteggError);
    expect(() => builder.add('data', id, 0, counting(10), 11)).toThrow(RangeError);
    expect(() => builder.add('pbs-chunk', id, 1, counting(10), 100)).toThrow(RangeError);
    expect(() => builder.add('data', id, 1, counting(10), 17 * 1024 * 1024)).toThrow(RangeError);
    expect(builder.add('data', id, 0, counting(10), 10)).toBe(true);
    builder.finish();
    expect(() => builder.add('data', id, 0, counting(10), 10)).toThrow(NesteggError);
    expect(() => builder.finish()).toThrow(NesteggError);
  });

  it('does not take in a blob that opens to other bytes than were given', () => {
    class FaultyKey extends SealingKey {
      calls = 0;
      override inner(nonce: Uint8Array): ReturnType<SealingKey['inner']> {
        const inner = super.inner(nonce);
        if (++this.calls === 2) inner.key[0] = (inner.key[0] ?? 0) ^ 1;
        return inner;
      }
    }
    const faulty = new FaultyKey(counting(64));
    const stub = { repositoryId: repository, newestEpoch: 0, sealingKey: () => faulty };
    const builder = new PackBuilder({ keys: stub, capacityBytes: 4096, random: seededRandom('faulty') });
    const id = blobId(counting(32));
    expect(() => builder.add('data', id, 0, counting(10), 10)).toThrow(CorruptionError);
    expect([builder.count, builder.bytesUsed]).toEqual([0, 0]);
    expect(builder.add('data', id, 0, counting(10), 10)).toBe(true);
    expect(readPackDirectory(stub, builder.finish().bytes).entries).toHaveLength(1);
  });

  it('never repeats a nonce, and hides equal content, over packs with equal blobs', () => {
    const random = seededRandom('many');
    const boxes = new Set<string>();
    for (let turn = 0; turn < 50; turn++) {
      const pack = samplePack(random);
      for (const entry of pack.entries) {
        const sealed = sealedOf(pack.bytes, entry);
        boxes.add(toHex(sealed.subarray(0, 24)));
        if (entry.plainLength > 0) boxes.add(toHex(sealed.subarray(24, 40)));
      }
    }
    expect(boxes.size).toBe(50 * 5);
  });
});

describe('a pack', () => {
  it('never gives wrong bytes for a bit flip, wherever it is', () => {
    const { bytes, entries, epoch } = samplePack();
    for (const [, flipped] of bitFlips(bytes, 5))
      expect(() => readPackDirectory(keys, flipped)).toThrow(CorruptionError);
    for (const [index, entry] of entries.entries()) {
      for (const [, flipped] of bitFlips(sealedOf(bytes, entry), 7)) {
        expect(() => openBlob(keys, epoch, entry, flipped), String(index)).toThrow(CorruptionError);
      }
    }
  });

  it('opens a blob only as what its entry says', () => {
    const { bytes, entries, epoch } = samplePack();
    const [entry] = entries;
    if (entry === undefined) throw new Error('no entry');
    const sealed = sealedOf(bytes, entry);
    expect(equalBytes(openBlob(keys, epoch, entry, sealed), contents[0])).toBe(true);
    const others = [
      { ...entry, id: blobId(counting(32, 99)) },
      { ...entry, codec: 1 as const },
      { ...entry, plainLength: entry.plainLength + 1 },
      { ...entry, sealedLength: entry.sealedLength - 1 },
    ];
    for (const other of others) expect(() => openBlob(keys, epoch, other, sealed)).toThrow(CorruptionError);
    expect(() => openBlob(keys, 0, entry, sealed)).toThrow(CorruptionError);
    expect(() => openBlob(keys, 7, entry, sealed)).toThrow(CorruptionError);
    const stranger = RepositoryKeys.derive(repository, [counting(32), counting(32)]);
    expect(() => openBlob(stranger, epoch, entry, sealed)).toThrow(CorruptionError);
  });

  it('refuses noise, cut packs and a directory under other bytes', () => {
    const { bytes } = samplePack();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        expect(() => readPackDirectory(keys, noise)).toThrow(CorruptionError);
      }),
    );
    for (let length = 0; length < bytes.byteLength; length += 13) {
      expect(() => readPackDirectory(keys, bytes.subarray(0, length))).toThrow(CorruptionError);
    }
    const trailer = bytes.subarray(bytes.byteLength - trailerBytes);
    expect(readPackTrailer(trailer, bytes.byteLength).epoch).toBe(1);
    expect(() => readPackTrailer(trailer, bytes.byteLength + 1)).toThrow(CorruptionError);
  });
});
