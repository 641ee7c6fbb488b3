/** Index segments: which blobs lie where in which packs (repository format, section 6). */
import { BinaryReader, BinaryWriter, DecodeError } from '../../core/binary.ts';
import { concatBytes, fromHex, toHex } from '../../core/bytes.ts';
import { decoding } from '../../core/errors.ts';
import { blobId, packId, segmentId, type PackId, type SegmentId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import { open, seal } from '../crypto/sealed-box.ts';
import { sha256Hex } from '../crypto/sha256.ts';
import { blobKindNumber, blobKindOf, checkEntry, codecOf, type PackEntry } from './blob.ts';
import type { PackKeys } from './sealing.ts';
import { limits } from './limits.ts';
import { associatedData, decodeEnvelope, decodeHeader, encodeEnvelope, encodeHeader, headerBytes } from './object.ts';
import { trailerBytes } from './pack-directory.ts';

/** One pack with what is in it. */
export interface IndexedPack {
  readonly id: PackId;
  readonly sizeBytes: number;
  /** Of the keys that its blobs are sealed with. */
  readonly epoch: number;
  readonly entries: readonly PackEntry[];
}

const packRowBytes = 44;
/** Bytes of one blob over all columns. */
const entryRowBytes = 46;

/** Rows of one segment that are sure to fit, padding included, even when nothing of them can be compressed. */
const segmentRowBytes = limits.segmentBytes - 8 * 2 ** 20;

/** The same packs in order, spread over as many segments as they need. A pack alone always fits. */
export function packsBySegment(packs: readonly IndexedPack[]): readonly (readonly IndexedPack[])[] {
  const segments: IndexedPack[][] = [];
  let bytes = Infinity;
  for (const pack of packs) {
    const rowBytes = packRowBytes + pack.entries.length * entryRowBytes;
    bytes += rowBytes;
    if (bytes > segmentRowBytes) {
      segments.push([]);
      bytes = rowBytes;
    }
    segments.at(-1)?.push(pack);
  }
  return segments;
}

/** @throws RangeError when the segment would be longer than 64 MiB: `packsBySegment` prevents it. */
export function encodeIndexSegment(
  keys: PackKeys,
  packs: readonly IndexedPack[],
  random: Random,
): { readonly id: SegmentId; readonly bytes: Uint8Array } {
  const content = encodeTable(packs);
  if (content.byteLength > limits.segmentBytes) throw new RangeError('an index segment would be too long');
  const epoch = keys.newestEpoch;
  const ad = associatedData(keys.repositoryId, 'segment', epoch);
  const box = seal(keys.sealingKey('index', epoch), ad, encodeEnvelope(content, 'auto'), random.bytes(32));
  const bytes = concatBytes(encodeHeader('segment', { roles: 0, epoch }), box);
  if (bytes.byteLength > limits.segmentBytes) throw new RangeError('an index segment would be too long');
  return { id: segmentId(sha256Hex(bytes)), bytes };
}

/** The packs of a segment, in its order. The ids of one segment share memory. @throws CorruptionError. */
export function decodeIndexSegment(keys: PackKeys, bytes: Uint8Array): readonly IndexedPack[] {
  return decoding('an index segment', () => {
    if (bytes.byteLength > limits.segmentBytes) throw new DecodeError('it is longer than segments may be');
    const { roles, epoch } = decodeHeader('segment', bytes);
    if (roles !== 0) throw new DecodeError('its role mask is not 0');
    const ad = associatedData(keys.repositoryId, 'segment', epoch);
    const envelope = open(keys.sealingKey('index', epoch), ad, bytes.subarray(headerBytes));
    return decodeTable(decodeEnvelope(envelope, limits.segmentBytes));
  });
}

function encodeTable(packs: readonly IndexedPack[]): Uint8Array {
  const entries = packs.flatMap((pack) => pack.entries);
  const writer = new BinaryWriter(4 + packs.length * packRowBytes + entries.length * entryRowBytes);
  writer.u32(packs.length);
  for (const pack of packs) {
    writer.raw(fromHex(pack.id)).u32(pack.sizeBytes).u32(pack.epoch).u32(pack.entries.length);
  }
  for (const entry of entries) writer.u8(blobKindNumber(entry.kind));
  for (const entry of entries) writer.u8(entry.codec);
  for (const entry of entries) writer.raw(entry.id);
  for (const entry of entries) writer.u32(entry.offset);
  for (const entry of entries) writer.u32(entry.sealedLength);
  for (const entry of entries) writer.u32(entry.plainLength);
  return writer.finish();
}

interface PackRow {
  readonly id: PackId;
  readonly sizeBytes: number;
  readonly epoch: number;
  readonly count: number;
}

function decodeTable(content: Uint8Array): readonly IndexedPack[] {
  const reader = new BinaryReader(content);
  const rows: PackRow[] = [];
  let total = 0;
  for (let left = reader.count(packRowBytes, limits.segmentBytes); left > 0; left--) {
    const row = readPackRow(reader);
    total += row.count;
    rows.push(row);
  }
  if (new Set(rows.map((row) => row.id)).size !== rows.length) throw new DecodeError('it names a pack twice');
  if (total * entryRowBytes !== reader.remaining) throw new DecodeError('its columns have the wrong length');
  const columns = readColumns(reader, total);
  let start = 0;
  return rows.map(({ count, ...pack }) => {
    const entries: PackEntry[] = [];
    for (let index = start; index < start + count; index++) {
      const entry = columns(index);
      checkEntry(entry, pack.sizeBytes - trailerBytes);
      entries.push(entry);
    }
    start += count;
    return { ...pack, entries };
  });
}

function readPackRow(reader: BinaryReader): PackRow {
  const row = { id: packId(toHex(reader.view(32))), sizeBytes: reader.u32(), epoch: reader.u32(), count: reader.u32() };
  if (row.sizeBytes > limits.packBytes) throw new DecodeError('a pack is longer than packs may be');
  if (row.count > limits.blobsInPack) throw new DecodeError('a pack has more blobs than packs may have');
  return row;
}

/** Access to the entry at a position, over all packs. */
function readColumns(reader: BinaryReader, total: number): (index: number) => PackEntry {
  const kinds = reader.view(total);
  const codecs = reader.view(total);
  // A copy, so that entries which live long keep only the ids of the segment in memory.
  const ids = reader.copy(total * 32);
  const column = (): ((index: number) => number) => {
    const bytes = reader.view(total * 4);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return (index) => view.getUint32(index * 4, true);
  };
  const offset = column();
  const sealedLength = column();
  const plainLength = column();
  return (index) => ({
    kind: blobKindOf(kinds[index] ?? 0),
    codec: codecOf(codecs[index] ?? 0),
    id: blobId(ids.subarray(index * 32, index * 32 + 32)),
    offset: offset(index),
    sealedLength: sealedLength(index),
    plainLength: plainLength(index),
  });
}
