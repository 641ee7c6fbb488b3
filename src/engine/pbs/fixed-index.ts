/**
 * Fixed index (`.fidx`): an image in chunks of one size; the last one is short, not padded.
 *
 * | offset | length | field |
 * | --- | --- | --- |
 * | 0 | 8 | magic |
 * | 8 | 16 | uuid |
 * | 24 | 8 | creation time, i64 seconds |
 * | 32 | 32 | SHA-256 of all digests |
 * | 64 | 8 | size of the image |
 * | 72 | 8 | chunk size |
 * | 80 | 4016 | zero |
 * | 4096 | 32·n | digests |
 */
import { asBuffer, concatBytes } from '../../core/bytes.ts';
import {
  checkChunkNumber,
  digestBytes,
  fullHeader,
  indexHeaderBytes,
  makeHeader,
  malformedIndex,
  sha256,
  splitIndex,
  verifiedChecksum,
  type ChunkIndex,
  type IndexIdentity,
} from './chunk-index.ts';
import { maxChunkBytes } from './data-blob.ts';

const magic = '2f7f41ed91fd0fcd';
const sizeOffset = 64;
const chunkSizeOffset = 72;
/** PBS writes 4 MiB and once allowed 64 KiB and more; anything that a chunk can hold is read. */
const minChunkBytes = 4096;

export class FixedIndex implements ChunkIndex {
  readonly kind = 'fixed';
  readonly header: Uint8Array;
  readonly size: number;
  readonly chunkSize: number;
  readonly count: number;
  readonly digests: Uint8Array;
  readonly checksum: Uint8Array;

  /**
   * Keeps views of `file`, which must not change afterwards.
   * @throws CorruptionError (`pbs.format` for the shape, `source.corrupt` for the checksum).
   */
  constructor(file: Uint8Array) {
    const { header, body } = splitIndex(file, magic, this.kind);
    this.header = header;
    this.size = safeU64(header, sizeOffset, 'image size');
    this.chunkSize = safeU64(header, chunkSizeOffset, 'chunk size');
    if (!isChunkSize(this.chunkSize)) throw malformedIndex(this.kind, `a chunk size of ${String(this.chunkSize)}`);
    this.count = Math.ceil(this.size / this.chunkSize);
    if (this.count === 0) throw malformedIndex(this.kind, 'it has no chunks');
    if (body.byteLength !== this.count * digestBytes) {
      throw malformedIndex(
        this.kind,
        `${String(file.byteLength)} bytes instead of ${String(indexHeaderBytes + this.count * digestBytes)}`,
      );
    }
    this.digests = body;
    this.checksum = verifiedChecksum(header, body, this.kind);
  }

  digestAt(index: number): Uint8Array {
    checkChunkNumber(index, this.count);
    return this.digests.subarray(index * digestBytes, (index + 1) * digestBytes);
  }

  offsetAt(index: number): number {
    checkChunkNumber(index, this.count);
    return index * this.chunkSize;
  }

  lengthAt(index: number): number {
    return Math.min(this.chunkSize, this.size - this.offsetAt(index));
  }
}

/** A new index file over `digests` (32 bytes each). @throws RangeError when they do not fit size and chunk size. */
export function encodeFixedIndex(
  identity: IndexIdentity & { readonly size: number; readonly chunkSize: number },
  digests: Uint8Array,
): Uint8Array {
  if (!isChunkSize(identity.chunkSize)) throw new RangeError('not a chunk size');
  if (digests.byteLength !== Math.ceil(identity.size / identity.chunkSize) * digestBytes || digests.byteLength === 0) {
    throw new RangeError('the digests do not fit the size of the image');
  }
  const header = makeHeader(magic, identity, sha256(digests));
  asBuffer(header).writeBigUInt64LE(BigInt(identity.size), sizeOffset);
  asBuffer(header).writeBigUInt64LE(BigInt(identity.chunkSize), chunkSizeOffset);
  return concatBytes(header, digests);
}

/** The file of which `header` (trailing zeros may be missing) and `digests` are the parts; not checked. */
export function joinFixedIndex(header: Uint8Array, digests: Uint8Array): Uint8Array {
  return concatBytes(fullHeader(header), digests);
}

function isChunkSize(size: number): boolean {
  return size >= minChunkBytes && size <= maxChunkBytes && Number.isInteger(Math.log2(size));
}

function safeU64(header: Uint8Array, offset: number, what: string): number {
  const value = asBuffer(header).readBigUInt64LE(offset);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformedIndex('fixed', `an impossible ${what}`);
  return Number(value);
}
