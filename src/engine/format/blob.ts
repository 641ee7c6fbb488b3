/** Blobs: kinds, references, and the stored form of one (repository format, section 4). */
import { type BinaryWriter, DecodeError } from '../../core/binary.ts';
import { CorruptionError, decoding } from '../../core/errors.ts';
import type { BlobId, Digest, RepositoryId } from '../../core/ids.ts';
import {
  decodeContent,
  encodeContent,
  type Codec,
  type CompressionLevel,
  type EncodedContent,
} from '../compression/compress.ts';
import { open, sealedOverhead } from '../crypto/sealed-box.ts';
import type { PackKeys } from './sealing.ts';
import { limits } from './limits.ts';
import { associatedData, u32Field } from './object.ts';

export type BlobKind = 'data' | 'tree' | 'list' | 'snapshot' | 'pbs-chunk' | 'config';

const kindNumbers: Readonly<Record<BlobKind, number>> = {
  data: 1,
  tree: 2,
  list: 3,
  snapshot: 4,
  'pbs-chunk': 5,
  config: 6,
};
const kindsByNumber = new Map(Object.entries(kindNumbers).map(([kind, number]) => [number, kind as BlobKind]));

export function blobKindNumber(kind: BlobKind): number {
  return kindNumbers[kind];
}

/** @throws DecodeError for a number that no kind has. */
export function blobKindOf(number: number): BlobKind {
  const kind = kindsByNumber.get(number);
  if (kind === undefined) throw new DecodeError(`blob kind ${String(number)} is unknown`);
  return kind;
}

/** Names a blob of known kind, equally in every repository: 36 bytes. */
export interface BlobRef {
  readonly digest: Digest;
  /** Bytes of the content; of a PBS chunk, of its data as the PBS index tells. */
  readonly length: number;
}

/** One blob in a pack. */
export interface PackEntry {
  readonly kind: BlobKind;
  readonly codec: Codec;
  readonly id: BlobId;
  /** Of the sealed bytes in the pack. */
  readonly offset: number;
  readonly sealedLength: number;
  /** Of the decoded content; of a PBS chunk, of the whole DataBlob. */
  readonly plainLength: number;
}

/** What is sealed along with a blob, so that it opens only as what the directory says it is. */
export function blobAssociatedData(
  repository: RepositoryId,
  epoch: number,
  entry: Pick<PackEntry, 'id' | 'codec' | 'sealedLength' | 'plainLength'>,
): Uint8Array {
  return associatedData(
    repository,
    'blob',
    epoch,
    entry.id,
    Uint8Array.of(entry.codec),
    u32Field(entry.sealedLength),
    u32Field(entry.plainLength),
  );
}

/**
 * The checks that an entry passes wherever it was read from.
 * @param end first byte of the pack that no blob may reach. @throws DecodeError.
 */
export function checkEntry(entry: PackEntry, end: number): void {
  const encodedLength = entry.sealedLength - sealedOverhead;
  if (encodedLength < 0) throw new DecodeError('a blob is shorter than its seal');
  if (Math.max(entry.plainLength, encodedLength) > limits.plainBlobBytes) {
    throw new DecodeError('a blob is longer than blobs may be');
  }
  if (entry.codec === 0 && encodedLength !== entry.plainLength) {
    throw new DecodeError('the lengths of a blob contradict each other');
  }
  if (entry.kind === 'pbs-chunk' && entry.codec !== 0) throw new DecodeError('a PBS chunk is compressed again');
  if (entry.offset + entry.sealedLength > end) throw new DecodeError('a blob lies outside of its pack');
}

/** @throws DecodeError unless it is 0 or 1. */
export function codecOf(number: number): Codec {
  if (number !== 0 && number !== 1) throw new DecodeError(`codec ${String(number)} is unknown`);
  return number;
}

/**
 * The content of a blob, in memory of its own. Authenticated, not yet compared with its digest.
 * @param epoch of the pack that it lies in.
 * @throws CorruptionError when the sealed bytes are not those that were stored under this entry.
 */
export function openBlob(keys: PackKeys, epoch: number, entry: PackEntry, sealed: Uint8Array): Uint8Array {
  decoding('the entry of a blob', () => {
    checkEntry(entry, Number.MAX_SAFE_INTEGER);
  });
  if (sealed.byteLength !== entry.sealedLength) {
    throw new CorruptionError(`a blob has ${String(sealed.byteLength)} bytes instead of ${String(entry.sealedLength)}`);
  }
  const encoded = open(keys.sealingKey('blob', epoch), blobAssociatedData(keys.repositoryId, epoch, entry), sealed);
  return decodeContent(entry.codec, encoded, entry.plainLength);
}

export type { CompressionLevel };

/** How a content that is not a PBS chunk is encoded before it is sealed: compressed when that gains at least 3 %. */
export function encodeBlobContent(content: Uint8Array, level: CompressionLevel): EncodedContent {
  return encodeContent(content, level);
}

/** `digest (32) ‖ plain length (u32)`. */
export function writeRef(writer: BinaryWriter, ref: BlobRef): BinaryWriter {
  return writer.raw(ref.digest).u32(ref.length);
}
