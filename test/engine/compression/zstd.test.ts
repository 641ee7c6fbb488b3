import { randomBytes } from 'node:crypto';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes, equalBytes, fromHex, utf8 } from '../../../src/core/bytes.ts';
import { CorruptionError } from '../../../src/core/errors.ts';
import { loadZstd, zstdCompress, zstdDecompress, zstdImplementation } from '../../../src/engine/compression/zstd.ts';
import { zlibCodec, type ZstdImplementation } from '../../../src/engine/compression/zstd-codecs.ts';
import { bitFlips, installed } from '../format/fixtures.ts';

/** "nestegg " 40 times, made by zstd 1.5.7 with a checksum and without the content size. */
const sizeless = fromHex('28b52ffd04007d0000406e65737465676720010035530b1742136de3');
const sizelessContent = utf8('nestegg '.repeat(40));

/** A frame of run-length blocks, 128 KiB of zeros each, that tells no content size. */
function bomb(blocks: number): Uint8Array {
  const block = (last: number): Uint8Array => {
    const header = last | (1 << 1) | ((128 * 1024) << 3);
    return Uint8Array.of(header & 255, (header >> 8) & 255, (header >> 16) & 255, 0);
  };
  const all = Array.from({ length: blocks }, (_, index) => block(index === blocks - 1 ? 1 : 0));
  return concatBytes(fromHex('28b52ffd0058'), ...all);
}

const implementations: ZstdImplementation[] = ['wasm'];
if ('zstdCompressSync' in zlib) implementations.push('zlib');
if (await installed('zstd-napi')) implementations.push('native');

describe.each(implementations)('zstd by %s', (implementation) => {
  beforeAll(async () => {
    await loadZstd(implementation);
  });

  it('is the implementation that was asked for', () => {
    expect(zstdImplementation()).toBe(implementation);
  });

  it('decodes what it encoded, at every level', () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.nat(5000)).map(([unit, times]) => {
        return concatBytes(...Array.from({ length: times }, () => unit));
      }),
    );
    fc.assert(
      fc.property(content, fc.integer({ min: 1, max: 19 }), (bytes, level) => {
        const frame = zstdCompress(bytes, level);
        expect(equalBytes(zstdDecompress(frame, bytes.byteLength), bytes)).toBe(true);
        if (bytes.byteLength > 0) expect(() => zstdDecompress(frame, bytes.byteLength - 1)).toThrow(CorruptionError);
      }),
      { numRuns: 60 },
    );
  });

  it('decodes 17 MiB of noise', () => {
    const bytes = new Uint8Array(randomBytes(17 * 1024 * 1024));
    expect(equalBytes(zstdDecompress(zstdCompress(bytes, 1), bytes.byteLength), bytes)).toBe(true);
  });

  it('decodes frames without content size, several of them, and passes over skippable ones', () => {
    const skippable = fromHex('502a4d1803000000aabbcc');
    expect(equalBytes(zstdDecompress(sizeless, 10_000), sizelessContent)).toBe(true);
    const several = concatBytes(sizeless, skippable, zstdCompress(utf8('x'), 3));
    expect(equalBytes(zstdDecompress(several, 10_000), concatBytes(sizelessContent, utf8('x')))).toBe(true);
    expect(() => zstdDecompress(sizeless, sizelessContent.byteLength - 1)).toThrow(CorruptionError);
    expect(() => zstdDecompress(several, sizelessContent.byteLength)).toThrow(CorruptionError);
  });

  it('stops a frame that would decode to far more than allowed', () => {
    expect(() => zstdDecompress(bomb(8000), 1_000_000)).toThrow(CorruptionError);
    expect(zstdDecompress(bomb(2), 262_144).byteLength).toBe(262_144);
  });

  it('throws CorruptionError for noise and cut frames', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        const framed = concatBytes(fromHex('28b52ffd'), noise);
        for (const bytes of [noise, framed]) {
          try {
            expect(zstdDecompress(bytes, 4096).byteLength).toBeLessThanOrEqual(4096);
          } catch (error) {
            expect(error).toBeInstanceOf(CorruptionError);
          }
        }
      }),
      { numRuns: 500 },
    );
    for (let length = 0; length < sizeless.byteLength; length++) {
      expect(() => zstdDecompress(sizeless.subarray(0, length), 10_000)).toThrow(CorruptionError);
    }
  });

  it('gives right bytes or CorruptionError for every bit flip of a frame with a checksum', () => {
    for (const [, flipped] of bitFlips(sizeless)) {
      try {
        const content = zstdDecompress(flipped, 10_000);
        // The checksum has 32 bits, and bits of the header that change nothing are left.
        expect(equalBytes(content, sizelessContent)).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptionError);
      }
    }
  });
});

describe('zstd of node:zlib', () => {
  it('is used only where Node has it, with level and bound', async () => {
    expect(zlibCodec({})).toBeUndefined();
    await loadZstd('wasm');
    const calls: object[] = [];
    const codec = zlibCodec({
      constants: { ZSTD_c_compressionLevel: 100 },
      zstdCompressSync(bytes: Uint8Array, options: object) {
        calls.push(options);
        return Buffer.from(zstdCompress(bytes, 3));
      },
      zstdDecompressSync(bytes: Uint8Array, options: object) {
        calls.push(options);
        return Buffer.from(zstdDecompress(bytes, 100));
      },
    });
    const frame = codec?.compress(utf8('hello'), 7) ?? new Uint8Array(0);
    expect(equalBytes(codec?.decompressFrame(frame, 5) ?? new Uint8Array(0), utf8('hello'))).toBe(true);
    expect(calls).toEqual([{ params: { 100: 7 } }, { maxOutputLength: 5 }]);
  });
});
