import type { BlobRef } from '../format/blob.ts';
import type { ChunkIndex } from '../pbs/chunk-index.ts';
import { encodeListNode, listFanout, type ListChild, type ListPart } from '../format/list.ts';

/**
 * Builds the list of a PBS index from its chunks in order (repository format, section 9). Leaves hold 256 chunks each but
 * the last one, so that an unchanged stretch of an image gives the node that is stored already. Holds one unfinished node
 * of every level.
 */
export class ListWriter {
  readonly #type: 'fixed' | 'dynamic';
  readonly #store: (node: Uint8Array) => Promise<BlobRef>;
  #parts: ListPart[] = [];
  #partBytes = 0;
  /** Unfinished nodes of level 1, 2, … */
  readonly #levels: ListChild[][] = [];

  /** @param store takes a node to where it is kept and says what names it. */
  constructor(type: 'fixed' | 'dynamic', store: (node: Uint8Array) => Promise<BlobRef>) {
    this.#type = type;
    this.#store = store;
  }

  /** True: `flush` before the next `add`. */
  get isFull(): boolean {
    return this.#parts.length === listFanout;
  }

  /** Synchronous, because it is called for every chunk. `digest` must not change until the next `flush` has resolved. */
  add(digest: Uint8Array, length: number): void {
    this.#parts.push({ digest, length });
    this.#partBytes += length;
  }

  /** Stores the leaf at hand. */
  async flush(): Promise<void> {
    const parts = this.#parts;
    const bytes = this.#partBytes;
    this.#parts = [];
    this.#partBytes = 0;
    const type = this.#type;
    const node = encodeListNode(
      type === 'fixed'
        ? { kind: 'leaf', type, digests: parts.map((part) => part.digest) }
        : { kind: 'leaf', type, parts },
    );
    await this.#addChild(1, { bytes, ref: await this.#store(node) });
  }

  /** The root, after the last chunk. */
  async finish(): Promise<BlobRef> {
    if (this.#parts.length > 0 || this.#levels.length === 0) await this.flush();
    for (let level = 1; ; level += 1) {
      const children = this.#levels[level - 1] ?? [];
      const above = this.#levels.length > level;
      const only = children[0];
      if (!above && children.length === 1 && only) return only.ref;
      if (children.length > 0) await this.#storeInner(level);
    }
  }

  async #addChild(level: number, child: ListChild): Promise<void> {
    const children = (this.#levels[level - 1] ??= []);
    // A full node is stored only when one more child comes, so that no node has a single full child above it.
    if (children.length === listFanout) await this.#storeInner(level);
    this.#levels[level - 1]?.push(child);
  }

  async #storeInner(level: number): Promise<void> {
    const children = this.#levels[level - 1] ?? [];
    this.#levels[level - 1] = [];
    const bytes = children.reduce((sum, child) => sum + child.bytes, 0);
    const ref = await this.#store(encodeListNode({ kind: 'inner', type: this.#type, level, children }));
    await this.#addChild(level + 1, { bytes, ref });
  }
}

/** The root of the list of a whole index. @param store as for `ListWriter`. */
export async function listOf(index: ChunkIndex, store: (node: Uint8Array) => Promise<BlobRef>): Promise<BlobRef> {
  const list = new ListWriter(index.kind, store);
  for (let at = 0; at < index.count; at += 1) {
    list.add(index.digestAt(at), index.lengthAt(at));
    if (list.isFull) await list.flush();
  }
  return list.finish();
}
