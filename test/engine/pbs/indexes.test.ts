import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex } from '../../../src/core/bytes.ts';
import { CorruptionError } from '../../../src/core/errors.ts';
import { sha256, type ChunkIndex } from '../../../src/engine/pbs/chunk-index.ts';
import { DynamicIndex, encodeDynamicIndex, joinDynamicIndex } from '../../../src/engine/pbs/dynamic-index.ts';
import { encodeFixedIndex, FixedIndex, joinFixedIndex } from '../../../src/engine/pbs/fixed-index.ts';

const identity = { uuid: fromHex('00112233445566778899aabbccddeeff'), createdSeconds: 1_715_091_951 };

/** 4 MiB of zeros, 4 MiB of 0x01, 1000 zeros. */
const digests = concatBytes(
  fromHex('bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8'),
  fromHex('5d2bafc266e711ed1e303de871e5b281fea2083d96e579dd504798bba5a34b42'),
  fromHex('541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53'),
);
const fixed = encodeFixedIndex({ ...identity, size: 8_389_608, chunkSize: 4_194_304 }, digests);
const dynamic = encodeDynamicIndex(identity, [4_194_304, 4_194_304, 1000], digests);

/** A file with one field of its header changed, and its checksum set right again. */
function changed(file: Uint8Array, offset: number, hex: string): Uint8Array {
  const copy = file.slice();
  copy.set(fromHex(hex), offset);
  copy.set(sha256(copy.subarray(4096)), 32);
  return copy;
}

function lengths(index: ChunkIndex): number[] {
  return Array.from({ length: index.count }, (_, at) => index.lengthAt(at));
}

describe('a fixed index', () => {
  it('reads sizes, digests and checksum', () => {
    const index = new FixedIndex(fixed);
    expect(index).toMatchObject({ kind: 'fixed', size: 8_389_608, chunkSize: 4_194_304, count: 3 });
    expect(toHex(index.checksum)).toBe('bb919f7c4c4344a1ce8628a92e4b8bbff767361e0f5505c2b1622a36ccca9a96');
    expect(lengths(index)).toEqual([4_194_304, 4_194_304, 1000]);
    expect(index.offsetAt(2)).toBe(8_388_608);
    expect(toHex(index.digestAt(1))).toBe(toHex(digests.subarray(32, 64)));
    expect(toHex(index.header.subarray(0, 32))).toBe(
      '2f7f41ed91fd0fcd00112233445566778899aabbccddeeffef393a6600000000',
    );
  });

  it('hands out views, not copies', () => {
    const index = new FixedIndex(fixed);
    expect(index.digestAt(1).buffer).toBe(fixed.buffer);
    expect(() => index.digestAt(3)).toThrow(RangeError);
    expect(() => index.lengthAt(-1)).toThrow(RangeError);
    expect(() => index.offsetAt(0.5)).toThrow(RangeError);
  });

  it('is joined again from its parts, with or without the zeros at the end of the header', () => {
    const index = new FixedIndex(fixed);
    expect(joinFixedIndex(index.header, index.digests)).toEqual(fixed);
    expect(joinFixedIndex(index.header.subarray(0, 80), index.digests)).toEqual(fixed);
  });

  const mebibytes4 = '0000400000000000';
  it.each([
    ['shorter than a header', fixed.subarray(0, 4095)],
    ['of another magic', changed(fixed, 0, '00')],
    ['that ends within a digest', fixed.subarray(0, fixed.byteLength - 1)],
    ['with a digest too few', fixed.subarray(0, fixed.byteLength - 32)],
    ['with a digest too many', concatBytes(fixed, digests.subarray(0, 32))],
    ['of an empty image', changed(fixed, 64, '0000000000000000')],
    ['without any chunk', changed(fixed.subarray(0, 4096), 64, '0000000000000000')],
    ['of an impossible size', changed(fixed, 64, 'ffffffffffffffff')],
    ['whose chunk size is zero', changed(fixed, 72, '0000000000000000')],
    ['whose chunk size is no power of two', changed(fixed, 72, '0100400000000000')],
    ['whose chunks are too large', changed(changed(fixed, 64, mebibytes4), 72, '0000000200000000')],
  ])('%s is refused', (_, file) => {
    expect(() => new FixedIndex(file)).toThrow(
      expect.objectContaining({ name: 'CorruptionError', code: 'pbs.format' }),
    );
  });

  it('with a changed digest fails its checksum', () => {
    const bad = fixed.slice();
    bad[4096 + 40] = 1;
    expect(() => new FixedIndex(bad)).toThrow(expect.objectContaining({ code: 'source.corrupt' }));
  });
});

describe('a dynamic index', () => {
  it('reads ends, digests and checksum', () => {
    const index = new DynamicIndex(dynamic);
    expect(index).toMatchObject({ kind: 'dynamic', size: 8_389_608, count: 3 });
    expect(toHex(index.checksum)).toBe('8a7f5dcbd6e2ff71479f6e0d3bb5f905ff3dc4888f4d899913a9fe535f5ffb8f');
    expect(lengths(index)).toEqual([4_194_304, 4_194_304, 1000]);
    expect(index.offsetAt(0)).toBe(0);
    expect(toHex(index.digests)).toBe(toHex(digests));
  });

  it('may be empty', () => {
    expect(new DynamicIndex(encodeDynamicIndex(identity, [], new Uint8Array()))).toMatchObject({ size: 0, count: 0 });
  });

  it('is joined again from its parts', () => {
    const index = new DynamicIndex(dynamic);
    expect(joinDynamicIndex(index.header.subarray(0, 64), lengths(index), index.digests)).toEqual(dynamic);
  });

  it('reads ends beyond 4 GiB', () => {
    const large = encodeDynamicIndex(identity, new Array<number>(300).fill(16 * 1024 * 1024), new Uint8Array(300 * 32));
    const index = new DynamicIndex(large);
    expect(index.size).toBe(300 * 16 * 1024 * 1024);
    expect(index.offsetAt(299)).toBe(299 * 16 * 1024 * 1024);
    expect(index.lengthAt(299)).toBe(16 * 1024 * 1024);
  });

  it.each([
    ['that ends within an entry', dynamic.subarray(0, dynamic.byteLength - 8)],
    ['of another magic', changed(dynamic, 3, '00')],
    ['with an empty chunk', changed(dynamic, 4096 + 40, '0000400000000000')],
    ['whose ends go back', changed(dynamic, 4096 + 80, '0100000000000000')],
    ['with a chunk of more than 16 MiB', changed(dynamic, 4096 + 80, '0100800100000000')],
    ['with an end beyond all numbers', changed(dynamic, 4096 + 80, 'ffffffffffffffff')],
  ])('%s is refused', (_, file) => {
    expect(() => new DynamicIndex(file)).toThrow(
      expect.objectContaining({ name: 'CorruptionError', code: 'pbs.format' }),
    );
  });
});

describe('indexes', () => {
  it('come back as they were encoded', () => {
    const parts = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 16 * 1024 * 1024 }), fc.uint8Array({ minLength: 32, maxLength: 32 })),
      {
        maxLength: 50,
      },
    );
    fc.assert(
      fc.property(parts, (entries) => {
        const all = concatBytes(...entries.map(([, digest]) => digest));
        const index = new DynamicIndex(
          encodeDynamicIndex(
            identity,
            entries.map(([length]) => length),
            all,
          ),
        );
        expect(lengths(index)).toEqual(entries.map(([length]) => length));
        expect(Buffer.from(index.digests).equals(all)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300_000 }), fc.constantFrom(4096, 65_536), (size, chunkSize) => {
        const all = new Uint8Array(Math.ceil(size / chunkSize) * 32).fill(7);
        const index = new FixedIndex(encodeFixedIndex({ ...identity, size, chunkSize }, all));
        expect(lengths(index).reduce((a, b) => a + b)).toBe(size);
      }),
    );
  });

  it('of noise fail as corruption only', () => {
    const magics = [fixed.subarray(0, 8), dynamic.subarray(0, 8)];
    fc.assert(
      fc.property(
        fc.constantFrom(...magics),
        fc.uint8Array({ maxLength: 100 }),
        fc.uint8Array({ maxLength: 200 }),
        (magic, head, body) => {
          const file = new Uint8Array(4096 + body.byteLength);
          file.set(magic);
          file.set(head, 64);
          file.set(body, 4096);
          file.set(sha256(body), 32);
          for (const Index of [FixedIndex, DynamicIndex]) {
            try {
              new Index(file);
            } catch (error) {
              expect(error).toBeInstanceOf(CorruptionError);
            }
          }
        },
      ),
    );
  });

  it('of a million chunks are read without an object for each', () => {
    const count = 1_000_000;
    const file = encodeFixedIndex({ ...identity, size: count * 65_536, chunkSize: 65_536 }, new Uint8Array(count * 32));
    const before = process.memoryUsage().heapUsed;
    const index = new FixedIndex(file);
    expect(index.count).toBe(count);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(4 * 1024 * 1024);
  });
});
