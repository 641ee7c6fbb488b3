/**
 * Dynamic index (`.didx`): a stream in chunks of any length.
 *
 * | offset | length | field |
 * | --- | --- | --- |
 * | 0 | 8 | magic |
 * | 8 | 16 | uuid |
 * | 24 | 8 | creation time, i64 seconds |
 * | 32 | 32 | SHA-256 of all entries |
 * | 64 | 4032 | zero |
 * | 4096 | 40·n | entries: u64 end offset of the chunk, digest (32) |
 */
import { asBuffer, concatBytes } from '../../core/bytes.ts';
import {
  checkChunkNumber,
  digestBytes,
  fullHeader,
  makeHeader,
  malformedIndex,
  sha256,
  splitIndex,
  verifiedChecksum,
  type ChunkIndex,
  type IndexIdentity,
} from './chunk-index.ts';
import { maxChunkBytes } from './data-blob.ts';

const magic = '1c914ea519bab3cd';
const entryBytes = 40;

export class DynamicIndex implements ChunkIndex {
  readonly kind = 'dynamic';
  readonly header: Uint8Array;
  readonly size: number;
  readonly count: number;
  readonly digests: Uint8Array;
  /** Where each chunk ends in the stream. */
  readonly ends: Float64Array;
  readonly checksum: Uint8Array;

  /**
   * Keeps a view of the header of `file`, and copies of the rest. An index without chunks is a stream of no bytes.
   * @throws CorruptionError (`pbs.format` for the shape, `source.corrupt` for the checksum).
   */
  constructor(file: Uint8Array) {
    const { header, body } = splitIndex(file, magic, this.kind);
    if (body.byteLength % entryBytes !== 0) throw malformedIndex(this.kind, 'it ends within an entry');
    this.header = header;
    this.count = body.byteLength / entryBytes;
    this.checksum = verifiedChecksum(header, body, this.kind);
    this.digests = new Uint8Array(this.count * digestBytes);
    this.ends = new Float64Array(this.count);
    const entries = asBuffer(body);
    let start = 0;
    for (let index = 0; index < this.count; index++) {
      const at = index * entryBytes;
      const end = entries.readUInt32LE(at) + entries.readUInt32LE(at + 4) * 2 ** 32;
      if (end <= start || end - start > maxChunkBytes || end > Number.MAX_SAFE_INTEGER) {
        throw malformedIndex(this.kind, `chunk ${String(index)} ends at ${String(end)}, after one at ${String(start)}`);
      }
      this.ends[index] = end;
      this.digests.set(body.subarray(at + 8, at + entryBytes), index * digestBytes);
      start = end;
    }
    this.size = start;
  }

  digestAt(index: number): Uint8Array {
    checkChunkNumber(index, this.count);
    return this.digests.subarray(index * digestBytes, (index + 1) * digestBytes);
  }

  offsetAt(index: number): number {
    checkChunkNumber(index, this.count);
    return this.ends[index - 1] ?? 0;
  }

  lengthAt(index: number): number {
    return (this.ends[index] ?? 0) - this.offsetAt(index);
  }
}

/** A new index file of chunks with these lengths and digests (32 bytes each). @throws RangeError when they do not fit each other. */
export function encodeDynamicIndex(
  identity: IndexIdentity,
  lengths: ArrayLike<number>,
  digests: Uint8Array,
): Uint8Array {
  const entries = encodeEntries(lengths, digests);
  return concatBytes(makeHeader(magic, identity, sha256(entries)), entries);
}

/** The file of which `header` (trailing zeros may be missing), lengths and digests are the parts; the header is not checked. */
export function joinDynamicIndex(header: Uint8Array, lengths: ArrayLike<number>, digests: Uint8Array): Uint8Array {
  return concatBytes(fullHeader(header), encodeEntries(lengths, digests));
}

function encodeEntries(lengths: ArrayLike<number>, digests: Uint8Array): Uint8Array {
  const count = lengths.length;
  if (digests.byteLength !== count * digestBytes) throw new RangeError('as many lengths as digests are needed');
  const entries = new Uint8Array(count * entryBytes);
  const view = asBuffer(entries);
  let end = 0;
  for (let index = 0; index < count; index++) {
    const length = lengths[index] ?? 0;
    if (length < 1 || length > maxChunkBytes) throw new RangeError(`a chunk of ${String(length)} bytes`);
    end += length;
    const at = index * entryBytes;
    view.writeUInt32LE(end % 2 ** 32, at);
    view.writeUInt32LE(Math.floor(end / 2 ** 32), at + 4);
    entries.set(digests.subarray(index * digestBytes, (index + 1) * digestBytes), at + 8);
  }
  return entries;
}
