/** Lists: the parts of one content in order, as a tree of nodes (repository format, section 9). Here: one node. */
import { BinaryReader, BinaryWriter, DecodeError } from '../../core/binary.ts';
import { decoding } from '../../core/errors.ts';
import { digest } from '../../core/ids.ts';
import { writeRef, type BlobRef } from './blob.ts';
import { limits } from './limits.ts';

/** `data`: pieces of a file. `fixed`, `dynamic`: chunks of a PBS index. */
export type ListType = 'data' | 'fixed' | 'dynamic';

/** One part of the content. */
export interface ListPart {
  /** Digest of a `data` blob, or PBS digest of a chunk: 32 bytes. */
  readonly digest: Uint8Array;
  /** Bytes of content. */
  readonly length: number;
}

/** A node one level down, and the bytes of content below it. */
export interface ListChild {
  readonly bytes: number;
  readonly ref: BlobRef;
}

export type ListNode =
  /** The parts have no lengths of their own: all have the chunk size, the last one of the list what is left. */
  | { readonly kind: 'leaf'; readonly type: 'fixed'; readonly digests: readonly Uint8Array[] }
  | { readonly kind: 'leaf'; readonly type: 'data' | 'dynamic'; readonly parts: readonly ListPart[] }
  | {
      readonly kind: 'inner';
      readonly type: ListType;
      readonly level: number;
      readonly children: readonly ListChild[];
    };

/** Parts or children of a full node. */
export const listFanout = 256;

const typeNumbers: Readonly<Record<ListType, number>> = { data: 1, fixed: 2, dynamic: 3 };

/** @throws RangeError for a node that the format does not allow. */
export function encodeListNode(node: ListNode): Uint8Array {
  const level = node.kind === 'leaf' ? 0 : node.level;
  const count = partsOf(node).length;
  if (count > listFanout || level >= limits.listDepth || (node.kind === 'inner' && (level < 1 || count === 0))) {
    throw new RangeError('not a node of a list');
  }
  const writer = new BinaryWriter(8 + count * 44).u8(level).u8(typeNumbers[node.type]).u16(0).u32(count);
  if (node.kind === 'inner') {
    for (const child of node.children) writeRef(writer.u64(child.bytes), child.ref);
  } else if (node.type === 'fixed') {
    for (const each of node.digests) writer.raw(each);
  } else if (node.type === 'dynamic') {
    for (const part of node.parts) writer.u32(part.length).raw(part.digest);
  } else {
    for (const part of node.parts) writer.raw(part.digest).u32(part.length);
  }
  return writer.finish();
}

/** The digests in the node share its memory. @throws CorruptionError. */
export function decodeListNode(content: Uint8Array): ListNode {
  return decoding('a list', () => {
    const reader = new BinaryReader(content);
    const level = reader.u8();
    const type = typeOf(reader.u8());
    if (reader.u16() !== 0) throw new DecodeError('reserved bytes are set');
    const node = level === 0 ? readLeaf(reader, type) : readInner(reader, type, level);
    reader.end();
    return node;
  });
}

function partsOf(node: ListNode): readonly unknown[] {
  if (node.kind === 'inner') return node.children;
  return node.type === 'fixed' ? node.digests : node.parts;
}

function typeOf(number: number): ListType {
  for (const type of ['data', 'fixed', 'dynamic'] as const) if (typeNumbers[type] === number) return type;
  throw new DecodeError(`list type ${String(number)} is unknown`);
}

function readLeaf(reader: BinaryReader, type: ListType): ListNode {
  if (type === 'fixed') return { kind: 'leaf', type, digests: readMany(reader, 32, () => reader.view(32)) };
  const parts = readMany(reader, 36, (): ListPart => {
    if (type === 'data') return { digest: reader.view(32), length: reader.u32() };
    const length = reader.u32();
    return { length, digest: reader.view(32) };
  });
  if (parts.some((part) => part.length === 0)) throw new DecodeError('a part is empty');
  return { kind: 'leaf', type, parts };
}

function readInner(reader: BinaryReader, type: ListType, level: number): ListNode {
  if (level >= limits.listDepth) throw new DecodeError('it is deeper than lists may be');
  const children = readMany(reader, 44, (): ListChild => {
    const bytes = reader.u64();
    return { bytes, ref: { digest: digest(reader.view(32)), length: reader.u32() } };
  });
  if (children.length === 0) throw new DecodeError('an inner node is empty');
  return { kind: 'inner', type, level, children };
}

function readMany<T>(reader: BinaryReader, bytesEach: number, read: () => T): readonly T[] {
  return Array.from({ length: reader.count(bytesEach, listFanout) }, read);
}
