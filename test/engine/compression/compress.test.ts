import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes, equalBytes, utf8 } from '../../../src/core/bytes.ts';
import { CorruptionError } from '../../../src/core/errors.ts';
import { decodeContent, encodeContent } from '../../../src/engine/compression/compress.ts';
import { loadZstd } from '../../../src/engine/compression/zstd.ts';
import { seededRandom } from '../format/fixtures.ts';

const noise = seededRandom('noise').bytes(1024 * 1024);
const words = utf8('the quick brown fox '.repeat(20_000));

beforeAll(async () => {
  await loadZstd();
});

describe('encodeContent', () => {
  it('compresses what pays, and gives the input itself back otherwise', () => {
    expect(encodeContent(words, 'auto').codec).toBe(1);
    expect(encodeContent(words, 'auto').encoded.byteLength).toBeLessThan(words.byteLength / 10);
    for (const raw of [encodeContent(words, 'off'), encodeContent(noise, 19), encodeContent(utf8('short'), 3)]) {
      expect(raw.codec).toBe(0);
    }
    expect(encodeContent(noise, 'auto').encoded).toBe(noise);
  });

  it('stores as it is what gains less than 3 %', () => {
    const barely = concatBytes(noise.subarray(0, 100_000), new Uint8Array(2_000));
    expect(encodeContent(barely, 3).codec).toBe(0);
    expect(encodeContent(concatBytes(barely, new Uint8Array(4_000)), 3).codec).toBe(1);
  });

  it('does not take half noise for incompressible', () => {
    expect(encodeContent(concatBytes(noise.subarray(0, words.byteLength), words), 'auto').codec).toBe(1);
  });

  it.each([0, 20, 1.5])('refuses level %d', (level) => {
    expect(() => encodeContent(words, level)).toThrow(RangeError);
  });

  it('decodes to the content, and to no other length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 1, max: 5 }), (unit, times) => {
        const content = concatBytes(...Array.from({ length: times }, () => unit));
        const { codec, encoded } = encodeContent(content, 3);
        expect(equalBytes(decodeContent(codec, encoded, content.byteLength), content)).toBe(true);
        expect(() => decodeContent(codec, encoded, content.byteLength + 1)).toThrow(CorruptionError);
      }),
    );
  });
});
