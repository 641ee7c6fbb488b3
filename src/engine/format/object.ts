/**
 * # Format: the bytes of the repository format
 *
 * Pure codecs of `docs/repository-format.md`; the words are defined there. Encoders take values and return bytes,
 * decoders take bytes and return values that passed every check of the page.
 *
 * Invariants: nothing here reads or writes a store; decoders give the right value or throw (`CorruptionError` for
 * damaged bytes), whatever the input; every limit is checked before memory is asked for; randomness is injected.
 *
 * This file: what all sealed objects have in common (sections 2 and 6).
 */
import { BinaryReader, BinaryWriter, DecodeError } from '../../core/binary.ts';
import { equalBytes, fromHex, utf8 } from '../../core/bytes.ts';
import type { RepositoryId } from '../../core/ids.ts';
import { decodeContent, encodeContent, type CompressionLevel } from '../compression/compress.ts';

export const formatVersion = 1;

export const objectKinds = {
  blob: 1,
  directory: 2,
  segment: 3,
  entry: 4,
  checkpoint: 5,
  wrappedRoot: 6,
  keySlot: 7,
  list: 8,
  ownerSlot: 9,
  rootSlot: 10,
} as const;

export type ObjectKind = keyof typeof objectKinds;

const domain = utf8('nestegg 1');
const headerMagic = utf8('NESTEGG');
export const headerBytes = 16;

/** `F("nestegg 1", repository, kind, epoch)` followed by further fields of the same form. */
export function associatedData(
  repository: RepositoryId,
  kind: ObjectKind,
  epoch: number,
  ...fields: readonly Uint8Array[]
): Uint8Array {
  const writer = new BinaryWriter(160);
  writer.sized(domain).sized(fromHex(repository));
  writer.u32(1).u8(objectKinds[kind]);
  writer.u32(4).u32(epoch);
  for (const field of fields) writer.sized(field);
  return writer.finish();
}

/** A u32 as a field of associated data. */
export function u32Field(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export interface ObjectHeader {
  /** Bits of `roleMask` in `entry.ts`; 0 for segments and checkpoints. */
  readonly roles: number;
  readonly epoch: number;
}

/** The 16 bytes before the sealed part of segments, entries and checkpoints. */
export function encodeHeader(kind: ObjectKind, header: ObjectHeader): Uint8Array {
  const writer = new BinaryWriter(headerBytes).raw(headerMagic);
  writer.u8(objectKinds[kind]).u8(header.roles).u8(0).u16(0).u32(header.epoch);
  return writer.finish();
}

/** @throws DecodeError unless it is the header of an object of this kind. */
export function decodeHeader(kind: ObjectKind, bytes: Uint8Array): ObjectHeader {
  const reader = new BinaryReader(bytes);
  if (!equalBytes(reader.view(headerMagic.byteLength), headerMagic)) throw new DecodeError('the magic is missing');
  if (reader.u8() !== objectKinds[kind]) throw new DecodeError('it is an object of another kind');
  const roles = reader.u8();
  if (reader.u8() !== 0 || reader.u16() !== 0) throw new DecodeError('reserved bytes of the header are set');
  return { roles, epoch: reader.u32() };
}

/** Padmé (Nikitin et al., PETS 2019, section 4): at most 12 % more, and only O(log log n) bits of the length shown. Below 2^32. */
export function padded(length: number): number {
  if (length < 2) return length;
  const exponent = floorLog2(length);
  const significant = floorLog2(exponent) + 1;
  const granule = 2 ** (exponent - significant);
  return Math.ceil(length / granule) * granule;
}

function floorLog2(value: number): number {
  return 31 - Math.clz32(value);
}

const envelopeHeaderBytes = 9;

/** The content of a sealed object, encoded and padded. */
export function encodeEnvelope(content: Uint8Array, level: CompressionLevel): Uint8Array {
  const { codec, encoded } = encodeContent(content, level);
  const length = envelopeHeaderBytes + encoded.byteLength;
  const writer = new BinaryWriter(padded(length));
  writer.u8(codec).u32(encoded.byteLength).u32(content.byteLength).raw(encoded);
  return writer.raw(new Uint8Array(padded(length) - length)).finish();
}

/**
 * The content of an envelope; with codec 0 a view of it.
 * @throws DecodeError or CorruptionError; never allocates more than `limit` bytes.
 */
export function decodeEnvelope(envelope: Uint8Array, limit: number): Uint8Array {
  const reader = new BinaryReader(envelope);
  const codec = reader.u8();
  if (codec !== 0 && codec !== 1) throw new DecodeError(`codec ${String(codec)} is unknown`);
  const storedLength = reader.u32();
  const plainLength = reader.u32();
  if (plainLength > limit) throw new DecodeError(`a content of ${String(plainLength)} bytes is over the limit`);
  const encoded = reader.view(storedLength);
  if (envelope.byteLength !== padded(envelopeHeaderBytes + storedLength)) {
    throw new DecodeError('an envelope has the wrong length');
  }
  requireZeros(reader.view(reader.remaining));
  return decodeContent(codec, encoded, plainLength);
}

/** @throws DecodeError unless all bytes are zero. */
export function requireZeros(bytes: Uint8Array): void {
  if (bytes.some((byte) => byte !== 0)) throw new DecodeError('padding is not zero');
}
