/** Whether and how one content is compressed for storing, and back. Codecs: repository format, section 4. */
import { concatBytes } from '../../core/bytes.ts';
import { CorruptionError } from '../../core/errors.ts';
import { zstdCompress, zstdDecompress } from './zstd.ts';

/** 0: stored as it is; 1: zstd. */
export type Codec = 0 | 1;
/** `auto` is level 3. */
export type CompressionLevel = number | 'off' | 'auto';

export interface EncodedContent {
  readonly codec: Codec;
  readonly encoded: Uint8Array;
}

const automaticLevel = 3;
/** Less than this saved is not worth the decoding. */
const leastGain = 0.03;
const smallestBytes = 64;
const probeFromBytes = 256 * 1024;
const probeSamples = 8;
const probeSampleBytes = 4096;

/**
 * With codec 0, `encoded` is `bytes` itself, not a copy. Content that gains less than 3 % is stored as it is; large
 * content is first judged by eight samples, so that media and encrypted data cost almost nothing.
 * @throws RangeError for a level outside of 1 to 19.
 */
export function encodeContent(bytes: Uint8Array, level: CompressionLevel): EncodedContent {
  if (level === 'off') return { codec: 0, encoded: bytes };
  const chosen = level === 'auto' ? automaticLevel : level;
  if (!Number.isInteger(chosen) || chosen < 1 || chosen > 19) throw new RangeError('compression levels are 1 to 19');
  if (bytes.byteLength < smallestBytes) return { codec: 0, encoded: bytes };
  if (bytes.byteLength >= probeFromBytes && !pays(samplesOf(bytes), 1)) return { codec: 0, encoded: bytes };
  const encoded = zstdCompress(bytes, chosen);
  return gains(bytes, encoded) ? { codec: 1, encoded } : { codec: 0, encoded: bytes };
}

/**
 * The content. With codec 0 it is `encoded` itself, not a copy.
 * @throws CorruptionError unless it has exactly `plainLength` bytes; never allocates more than that.
 */
export function decodeContent(codec: Codec, encoded: Uint8Array, plainLength: number): Uint8Array {
  const content = codec === 0 ? encoded : zstdDecompress(encoded, plainLength);
  if (content.byteLength !== plainLength) {
    throw new CorruptionError(
      `a content has ${String(content.byteLength)} bytes instead of ${String(plainLength)} after decoding`,
    );
  }
  return content;
}

function pays(bytes: Uint8Array, level: number): boolean {
  return gains(bytes, zstdCompress(bytes, level));
}

function gains(plain: Uint8Array, encoded: Uint8Array): boolean {
  return encoded.byteLength <= plain.byteLength * (1 - leastGain);
}

/** Pieces at even distances, the first and the last bytes among them. */
function samplesOf(bytes: Uint8Array): Uint8Array {
  const step = (bytes.byteLength - probeSampleBytes) / (probeSamples - 1);
  const samples: Uint8Array[] = [];
  for (let index = 0; index < probeSamples; index++) {
    const start = Math.floor(index * step);
    samples.push(bytes.subarray(start, start + probeSampleBytes));
  }
  return concatBytes(...samples);
}
