import type { BlobId } from '../../core/ids.ts';

/**
 * An open-addressing hash table from 32-byte ids to fixed-size values on typed arrays: 52 bytes an entry at full
 * load, no object per entry. Ids are outputs of a keyed hash, so their first bytes serve as the hash.
 * Values are `width` unsigned 32-bit integers. Not for ids chosen by an attacker without the key.
 */
export class IdTable {
  readonly #width: number;
  #ids: Uint8Array;
  #words: Int32Array;
  #values: Uint32Array;
  #used: Uint8Array;
  #capacity: number;
  #size = 0;

  constructor(width: number, expected = 1024) {
    this.#width = width;
    this.#capacity = 1024;
    while (this.#capacity * 0.75 < expected) this.#capacity *= 2;
    this.#ids = new Uint8Array(this.#capacity * 32);
    this.#words = new Int32Array(this.#ids.buffer);
    this.#values = new Uint32Array(this.#capacity * width);
    this.#used = new Uint8Array(this.#capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** Index of the entry for `value`, or -1. */
  find(id: BlobId): number {
    const slot = this.#slot(id);
    return this.#used[slot] === 1 ? slot : -1;
  }

  /** Adds or finds the entry; returns its index, valid until the next `put`. */
  put(id: BlobId): number {
    if (this.#size + 1 > this.#capacity * 0.75) this.#grow();
    const slot = this.#slot(id);
    if (this.#used[slot] === 0) {
      this.#used[slot] = 1;
      this.#ids.set(id, slot * 32);
      this.#size += 1;
    }
    return slot;
  }

  value(index: number, field: number): number {
    return this.#values[index * this.#width + field] ?? 0;
  }

  setValue(index: number, field: number, value: number): void {
    this.#values[index * this.#width + field] = value;
  }

  /** Indexes of all entries; do not `put` meanwhile. */
  *indexes(): Generator<number> {
    for (let slot = 0; slot < this.#capacity; slot += 1) if (this.#used[slot] === 1) yield slot;
  }

  /** The id of an entry, as a view of the table's own memory. */
  idAt(index: number): BlobId {
    return this.#ids.subarray(index * 32, index * 32 + 32) as BlobId;
  }

  #slot(id: BlobId): number {
    const view = new DataView(id.buffer, id.byteOffset, 32);
    const mask = this.#capacity - 1;
    const [a, b, c, d] = [
      view.getInt32(0, true),
      view.getInt32(4, true),
      view.getInt32(8, true),
      view.getInt32(12, true),
    ];
    let slot = (a >>> 0) & mask;
    for (;;) {
      if (this.#used[slot] === 0) return slot;
      const word = slot * 8;
      const words = this.#words;
      if (
        words[word] === a &&
        words[word + 1] === b &&
        words[word + 2] === c &&
        words[word + 3] === d &&
        this.#restEqual(slot, view)
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  #restEqual(slot: number, id: DataView): boolean {
    for (let word = 4; word < 8; word += 1) {
      if (this.#words[slot * 8 + word] !== id.getInt32(word * 4, true)) return false;
    }
    return true;
  }

  #grow(): void {
    const old = { ids: this.#ids, values: this.#values, used: this.#used, capacity: this.#capacity };
    this.#capacity *= 2;
    this.#ids = new Uint8Array(this.#capacity * 32);
    this.#words = new Int32Array(this.#ids.buffer);
    this.#values = new Uint32Array(this.#capacity * this.#width);
    this.#used = new Uint8Array(this.#capacity);
    for (let from = 0; from < old.capacity; from += 1) {
      if (old.used[from] === 0) continue;
      const id = old.ids.subarray(from * 32, from * 32 + 32) as BlobId;
      const to = this.#slot(id);
      this.#used[to] = 1;
      this.#ids.set(id, to * 32);
      this.#values.set(old.values.subarray(from * this.#width, (from + 1) * this.#width), to * this.#width);
    }
  }
}
