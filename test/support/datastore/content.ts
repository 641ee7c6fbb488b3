/** What stands in the made-up disks and archives: empty stretches, text that compresses, and data that does not. */
import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { decide, SeededRandom, seedNumber } from './seeded.ts';

const words =
  'the quick brown fox backup datastore chunk index manifest 2024 error warning info systemd kernel: eth0 /var/log'.split(
    ' ',
  );
const corpusBytes = 256 * 1024;
const pageBytes = 4096;
let corpus: Uint8Array | undefined;

function text(): Uint8Array {
  if (corpus) return corpus;
  const random = new SeededRandom('corpus');
  const parts: string[] = [];
  for (let length = 0; length < corpusBytes;) {
    const word = `${words[random.below(words.length)] ?? ''} `;
    parts.push(word);
    length += word.length;
  }
  corpus = new Uint8Array(Buffer.from(parts.join('')).subarray(0, corpusBytes));
  return corpus;
}

/** A quarter zeros, half text, a quarter noise; equal seeds give equal bytes. */
export function realisticContent(seed: string, length: number): Uint8Array {
  const choice = decide(seedNumber(seed), 1, 2, 3);
  if (choice < 0.25) return new Uint8Array(length);
  const random = new SeededRandom(seed);
  if (choice >= 0.75) return random.bytes(length);
  const content = new Uint8Array(length);
  for (let at = 0; at < length; at += pageBytes) {
    const page = Math.min(pageBytes, length - at);
    content.set(
      text()
        .subarray(random.below(corpusBytes - page))
        .subarray(0, page),
      at,
    );
    content.set(random.bytes(Math.min(16, page)), at);
  }
  return content;
}

const noiseBytes = 4000;
/** The longest block of zstd. */
const blockBytes = 131_072;
const zeroPrefixes = new Map<number, Hash>();

/**
 * A chunk of zeros that ends in 4,000 bytes of noise, with its digest and its blob: made a hundred times faster than
 * by hashing and compressing it, because the state of SHA-256 after the zeros is kept, and the zstd frame is written by
 * hand (runs of zeros, one raw block; RFC 8878, 3.1.1).
 */
export function quickChunk(
  random: SeededRandom,
  length: number,
): { readonly digest: Uint8Array; readonly blob: Uint8Array } {
  const zeros = length - noiseBytes;
  if (zeros < 1) throw new RangeError('a quick chunk has at least 4,001 bytes');
  const noise = random.bytes(noiseBytes);
  let prefix = zeroPrefixes.get(zeros);
  if (!prefix) {
    prefix = createHash('sha256').update(new Uint8Array(zeros));
    zeroPrefixes.set(zeros, prefix);
  }
  const runs = Math.ceil(zeros / blockBytes);
  const blob = Buffer.alloc(12 + 9 + runs * 4 + 3 + noiseBytes);
  blob.write('31b958426fb6a37f', 'hex');
  blob.writeUInt32LE(0xfd2fb528, 12);
  blob.writeUInt8(0xa0, 16);
  blob.writeUInt32LE(length, 17);
  let at = 21;
  for (let left = zeros; left > 0; left -= blockBytes, at += 4) {
    blob.writeUIntLE((Math.min(left, blockBytes) << 3) | (1 << 1), at, 3);
  }
  blob.writeUIntLE((noiseBytes << 3) | 1, at, 3);
  blob.set(noise, at + 3);
  blob.writeUInt32LE(crc32(blob.subarray(12)), 8);
  return { digest: prefix.copy().update(noise).digest(), blob };
}
