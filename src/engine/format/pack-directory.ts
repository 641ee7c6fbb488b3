/** The end of a pack: sealed directory and plain trailer (repository format, section 5). */
import { BinaryReader, BinaryWriter, DecodeError } from '../../core/binary.ts';
import { equalBytes, utf8 } from '../../core/bytes.ts';
import { decoding } from '../../core/errors.ts';
import { blobId } from '../../core/ids.ts';
import { sha256 } from '../crypto/sha256.ts';
import { open, sealedOverhead } from '../crypto/sealed-box.ts';
import { blobKindNumber, blobKindOf, checkEntry, codecOf, type PackEntry } from './blob.ts';
import type { PackKeys } from './sealing.ts';
import { limits } from './limits.ts';
import { associatedData, formatVersion, padded, requireZeros } from './object.ts';

export const trailerBytes = 32;
const trailerMagic = utf8('NESTPACK');
const entryBytes = 46;

export interface PackTrailer {
  readonly epoch: number;
  /** Also the number of bytes whose SHA-256 is sealed with the directory. */
  readonly directoryOffset: number;
  readonly directoryLength: number;
}

export function encodeTrailer(trailer: PackTrailer): Uint8Array {
  const writer = new BinaryWriter(trailerBytes).raw(trailerMagic).u32(formatVersion).u32(trailer.epoch);
  return writer.u32(trailer.directoryOffset).u32(trailer.directoryLength).u64(0).finish();
}

/**
 * @param bytes the last 32 bytes of a pack, not authenticated: its offsets are only where to look.
 * @param packLength bytes of the whole pack. @throws CorruptionError.
 */
export function readPackTrailer(bytes: Uint8Array, packLength: number): PackTrailer {
  return decoding('the trailer of a pack', () => {
    const reader = new BinaryReader(bytes);
    if (!equalBytes(reader.view(8), trailerMagic)) throw new DecodeError('the magic is missing');
    const format = reader.u32();
    if (format !== formatVersion) throw new DecodeError(`format ${String(format)} is unknown`);
    const epoch = reader.u32();
    const directoryOffset = reader.u32();
    const directoryLength = reader.u32();
    requireZeros(reader.view(8));
    reader.end();
    if (packLength > limits.packBytes || directoryOffset + directoryLength + trailerBytes !== packLength) {
      throw new DecodeError('its offsets do not fit the length of the pack');
    }
    return { epoch, directoryOffset, directoryLength };
  });
}

/** Bytes of a sealed directory of `count` entries. */
export function directoryLengthOf(count: number): number {
  return padded(4 + count * entryBytes) + sealedOverhead;
}

export function directoryAssociatedData(keys: PackKeys, epoch: number, sha256Before: Uint8Array): Uint8Array {
  return associatedData(keys.repositoryId, 'directory', epoch, sha256Before);
}

export function encodeDirectory(entries: readonly PackEntry[]): Uint8Array {
  const length = padded(4 + entries.length * entryBytes);
  const writer = new BinaryWriter(length).u32(entries.length);
  for (const entry of entries) {
    writer.u8(blobKindNumber(entry.kind)).u8(entry.codec).raw(entry.id);
    writer.u32(entry.offset).u32(entry.sealedLength).u32(entry.plainLength);
  }
  return writer.raw(new Uint8Array(length - writer.length)).finish();
}

function decodeDirectory(plain: Uint8Array, end: number): readonly PackEntry[] {
  const reader = new BinaryReader(plain);
  const count = reader.count(entryBytes, limits.blobsInPack);
  const entries: PackEntry[] = [];
  for (let index = 0; index < count; index++) {
    const entry: PackEntry = {
      kind: blobKindOf(reader.u8()),
      codec: codecOf(reader.u8()),
      id: blobId(reader.copy(32)),
      offset: reader.u32(),
      sealedLength: reader.u32(),
      plainLength: reader.u32(),
    };
    checkEntry(entry, end);
    entries.push(entry);
  }
  if (plain.byteLength !== padded(4 + count * entryBytes)) throw new DecodeError('it has the wrong length');
  requireZeros(reader.view(reader.remaining));
  refuseOverlaps(entries);
  return entries;
}

function refuseOverlaps(entries: readonly PackEntry[]): void {
  let end = 0;
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset)) {
    if (entry.offset < end) throw new DecodeError('blobs overlap');
    end = entry.offset + entry.sealedLength;
  }
}

/**
 * The entries of a pack of which only the end is in memory.
 * @param sha256Before SHA-256 of the first `trailer.directoryOffset` bytes of the pack: all of it has to be read.
 * @throws CorruptionError when it does not open or is not well-formed.
 */
export function openPackDirectory(
  keys: PackKeys,
  trailer: PackTrailer,
  sha256Before: Uint8Array,
  sealedDirectory: Uint8Array,
): readonly PackEntry[] {
  return decoding('the directory of a pack', () => {
    const ad = directoryAssociatedData(keys, trailer.epoch, sha256Before);
    const plain = open(keys.sealingKey('directory', trailer.epoch), ad, sealedDirectory);
    return decodeDirectory(plain, trailer.directoryOffset);
  });
}

/**
 * Epoch and entries of a whole pack in memory. Blobs are not opened: the entries of a pack that no segment names count
 * only once each was opened.
 * @throws CorruptionError.
 */
export function readPackDirectory(
  keys: PackKeys,
  pack: Uint8Array,
): { readonly epoch: number; readonly entries: readonly PackEntry[] } {
  const trailer = readPackTrailer(pack.subarray(Math.max(0, pack.byteLength - trailerBytes)), pack.byteLength);
  const before = pack.subarray(0, trailer.directoryOffset);
  const sealed = pack.subarray(trailer.directoryOffset, trailer.directoryOffset + trailer.directoryLength);
  return { epoch: trailer.epoch, entries: openPackDirectory(keys, trailer, sha256(before), sealed) };
}
