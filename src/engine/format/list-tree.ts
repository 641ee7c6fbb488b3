/** Building a list bottom-up, and walking it again (repository format, section 9). */
import { CorruptionError } from '../../core/errors.ts';
import { digest } from '../../core/ids.ts';
import { blake3 } from '../crypto/blake3.ts';
import type { BlobRef } from './blob.ts';
import { limits } from './limits.ts';
import {
  decodeListNode,
  encodeListNode,
  listFanout,
  type ListChild,
  type ListNode,
  type ListPart,
  type ListType,
} from './list.ts';

/** A node to be stored as a blob of kind `list`, before those that name it. */
export interface BuiltListNode {
  readonly ref: BlobRef;
  readonly content: Uint8Array;
}

/** Of which content a list is, as the record that names it tells. */
export type ListShape =
  | { readonly type: 'data' | 'dynamic'; readonly size: number }
  | { readonly type: 'fixed'; readonly size: number; readonly chunkSize: number };

/**
 * Yields every node as soon as it is complete, children first, and returns the root. Equal stretches of 256 parts that
 * begin at a multiple of 256 give equal nodes. Holds at most 256 parts a level.
 * @param parts of at least 1 byte each.
 */
export function* buildList(type: ListType, parts: Iterable<ListPart>): Generator<BuiltListNode, BlobRef> {
  const builder = new ListBuilder(type);
  for (const part of parts) yield* builder.add(part);
  return yield* builder.finish();
}

/** The same for parts that come one by one. Every generator it returns has to be run to its end. */
export class ListBuilder {
  readonly #type: ListType;
  #parts: ListPart[] = [];
  /** Children of the unfinished node of level 1, 2, … */
  readonly #children: ListChild[][] = [];

  constructor(type: ListType) {
    this.#type = type;
  }

  /** @throws RangeError for a part without content. */
  *add(part: ListPart): Generator<BuiltListNode, void> {
    if (part.length < 1) throw new RangeError('a part of a list has at least one byte');
    this.#parts.push(part);
    if (this.#parts.length === listFanout) yield* this.#closeLeaf();
  }

  *finish(): Generator<BuiltListNode, BlobRef> {
    if (this.#parts.length > 0 || this.#children.length === 0) yield* this.#closeLeaf();
    for (let level = 1; ; level++) {
      const children = this.#children[level - 1] ?? [];
      const [only] = children;
      if (level === this.#children.length && children.length === 1 && only !== undefined) return only.ref;
      if (children.length > 0) yield* this.#closeInner(level);
    }
  }

  *#closeLeaf(): Generator<BuiltListNode, void> {
    const parts = this.#parts;
    this.#parts = [];
    const type = this.#type;
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    const leaf: ListNode =
      type === 'fixed'
        ? { kind: 'leaf', type, digests: parts.map((part) => part.digest) }
        : { kind: 'leaf', type, parts };
    yield* this.#emit(1, leaf, bytes);
  }

  *#closeInner(level: number): Generator<BuiltListNode, void> {
    const children = this.#children[level - 1] ?? [];
    this.#children[level - 1] = [];
    const bytes = children.reduce((sum, child) => sum + child.bytes, 0);
    yield* this.#emit(level + 1, { kind: 'inner', type: this.#type, level, children }, bytes);
  }

  /** Yields a node and names it in the unfinished node of `level`. */
  *#emit(level: number, node: ListNode, bytes: number): Generator<BuiltListNode, void> {
    const content = encodeListNode(node);
    const ref: BlobRef = { digest: digest(blake3(content)), length: content.byteLength };
    yield { ref, content };
    const siblings = (this.#children[level - 1] ??= []);
    siblings.push({ bytes, ref });
    if (siblings.length === listFanout) yield* this.#closeInner(level);
  }
}

/** What `walkList` asks for: the content of a list blob, its digest checked. */
export type FetchList = (ref: BlobRef) => Promise<Uint8Array>;

/**
 * Yields the parts in order, those of one leaf at a time.
 * @param readAhead how many siblings are fetched at once.
 * @throws CorruptionError when the list is not one of a content of this shape; whatever `fetch` throws.
 */
export async function* walkList(
  root: BlobRef,
  shape: ListShape,
  fetch: FetchList,
  readAhead = 8,
): AsyncGenerator<readonly ListPart[]> {
  const walk: Walk = { shape, fetch, readAhead: Math.max(1, readAhead), position: 0 };
  const node = await fetchNode(walk, root);
  yield* walkNode(walk, node);
  if (walk.position !== shape.size) throw damaged('it has another length than its file');
}

interface Walk {
  readonly shape: ListShape;
  readonly fetch: FetchList;
  readonly readAhead: number;
  /** Bytes of content passed so far. */
  position: number;
}

async function* walkNode(walk: Walk, node: ListNode): AsyncGenerator<readonly ListPart[]> {
  if (node.type !== walk.shape.type) throw damaged('it has another type than its file');
  if (node.kind === 'leaf') {
    const parts = partsAt(walk, node);
    if (parts.length > 0) yield parts;
    return;
  }
  const ahead: Promise<ListNode>[] = [];
  let next = 0;
  for (const child of node.children) {
    for (; next < node.children.length && ahead.length < walk.readAhead; next++) {
      const sibling = node.children[next];
      if (sibling !== undefined) ahead.push(fetchAhead(walk, sibling.ref));
    }
    const below = await ahead.shift();
    if (below === undefined || levelOf(below) !== node.level - 1) throw damaged('its levels are not in order');
    const before = walk.position;
    yield* walkNode(walk, below);
    if (walk.position - before !== child.bytes) throw damaged('a node names another length than it has');
  }
}

function partsAt(walk: Walk, leaf: Extract<ListNode, { readonly kind: 'leaf' }>): readonly ListPart[] {
  const { shape } = walk;
  const parts = leaf.type === 'fixed' ? fixedParts(walk, leaf.digests) : leaf.parts;
  for (const part of parts) walk.position += part.length;
  if (walk.position > shape.size) throw damaged('it is longer than its file');
  const last = walk.position === shape.size;
  if (shape.type !== 'data' && parts.length !== listFanout && !last)
    throw damaged('a leaf before the last is not full');
  if (parts.length === 0 && shape.size !== 0) throw damaged('a leaf is empty');
  return parts;
}

function fixedParts(walk: Walk, digests: readonly Uint8Array[]): readonly ListPart[] {
  const { shape } = walk;
  if (shape.type !== 'fixed') throw damaged('it has another type than its file');
  let left = shape.size - walk.position;
  return digests.map((each) => {
    const length = Math.min(shape.chunkSize, left);
    if (length <= 0) throw damaged('it has more parts than its file');
    left -= length;
    return { digest: each, length };
  });
}

function levelOf(node: ListNode): number {
  return node.kind === 'leaf' ? 0 : node.level;
}

async function fetchNode(walk: Walk, ref: BlobRef): Promise<ListNode> {
  if (ref.length > limits.plainBlobBytes) throw damaged('a node is longer than blobs may be');
  return decodeListNode(await walk.fetch(ref));
}

/** A fetch whose failure is told when its turn comes, or never when the walk ends before. */
function fetchAhead(walk: Walk, ref: BlobRef): Promise<ListNode> {
  const node = fetchNode(walk, ref);
  node.catch(() => undefined);
  return node;
}

function damaged(reason: string): CorruptionError {
  return new CorruptionError(`a list is damaged: ${reason}`);
}
