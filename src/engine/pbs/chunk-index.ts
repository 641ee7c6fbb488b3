/**
 * What fixed and dynamic indexes have in common: the list of chunks that, one after the other, are one image or stream.
 * A million chunks are three objects here (index, digests, ends), never a million.
 */
import { createHash } from 'node:crypto';
import { asBuffer, equalBytes, toHex } from '../../core/bytes.ts';
import { CorruptionError } from '../../core/errors.ts';

/** Length of the header of both kinds. */
export const indexHeaderBytes = 4096;
/** Larger index files are refused before they are read: 128 TiB in chunks of 4 MiB. */
export const maxIndexBytes = 1024 * 1024 * 1024;
export const digestBytes = 32;

const uuidOffset = 8;
const ctimeOffset = 24;
const checksumOffset = 32;

export interface ChunkIndex {
  readonly kind: 'fixed' | 'dynamic';
  /** The first 4,096 bytes of the file, as they are. */
  readonly header: Uint8Array;
  /** Length of the image or stream in bytes. */
  readonly size: number;
  /** Number of chunks. */
  readonly count: number;
  /** All digests in order, 32 bytes each. */
  readonly digests: Uint8Array;
  /** Recomputed from the entries, and equal to the one in the header; `csum` of the manifest. 32 bytes. */
  readonly checksum: Uint8Array;
  /** Digest of chunk `index`, a view. @throws RangeError outside of [0, count). */
  digestAt(index: number): Uint8Array;
  /** Where chunk `index` begins in the image or stream. @throws RangeError outside of [0, count). */
  offsetAt(index: number): number;
  /** How many bytes of the image or stream chunk `index` holds. @throws RangeError outside of [0, count). */
  lengthAt(index: number): number;
}

export interface IndexIdentity {
  /** 16 bytes. */
  readonly uuid: Uint8Array;
  readonly createdSeconds: number;
}

/** A header of 4,096 bytes; what is special to one kind is left zero. */
export function makeHeader(magic: string, identity: IndexIdentity, checksum: Uint8Array): Uint8Array {
  if (identity.uuid.byteLength !== 16) throw new RangeError('the uuid of an index has 16 bytes');
  const header = new Uint8Array(indexHeaderBytes);
  header.set(Buffer.from(magic, 'hex'));
  header.set(identity.uuid, uuidOffset);
  asBuffer(header).writeBigInt64LE(BigInt(identity.createdSeconds), ctimeOffset);
  header.set(checksum, checksumOffset);
  return header;
}

/** Header and body of an index file. @throws CorruptionError (`pbs.format`) for another magic or fewer bytes than a header. */
export function splitIndex(file: Uint8Array, magic: string, kind: string): { header: Uint8Array; body: Uint8Array } {
  if (file.byteLength > maxIndexBytes) throw malformedIndex(kind, `${String(file.byteLength)} bytes are too many`);
  if (file.byteLength < indexHeaderBytes) throw malformedIndex(kind, 'it is shorter than its header');
  if (toHex(file.subarray(0, 8)) !== magic) throw malformedIndex(kind, 'it begins with another magic');
  return { header: file.subarray(0, indexHeaderBytes), body: file.subarray(indexHeaderBytes) };
}

/** SHA-256 of the body, which must stand in the header. @throws CorruptionError (`source.corrupt`) when another one does. */
export function verifiedChecksum(header: Uint8Array, body: Uint8Array, kind: string): Uint8Array {
  const checksum = sha256(body);
  if (!equalBytes(checksum, header.subarray(checksumOffset, checksumOffset + 32))) {
    throw new CorruptionError(`the ${kind} index is damaged: its checksum does not match`, { code: 'source.corrupt' });
  }
  return checksum;
}

/** A header without its trailing zeros, filled up again to 4,096 bytes. @throws RangeError for more than that. */
export function fullHeader(header: Uint8Array): Uint8Array {
  if (header.byteLength > indexHeaderBytes) throw new RangeError('the header of an index has 4,096 bytes');
  const full = new Uint8Array(indexHeaderBytes);
  full.set(header);
  return full;
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

export function checkChunkNumber(index: number, count: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    throw new RangeError(`chunk ${String(index)} of ${String(count)}`);
  }
}

export function malformedIndex(kind: string, reason: string): CorruptionError {
  return new CorruptionError(`the ${kind} index is malformed: ${reason}`, { code: 'pbs.format' });
}
