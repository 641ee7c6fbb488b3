import type { BlobId } from '../../core/ids.ts';

/**
 * An open-addressing hash table from 32-byte ids to fixed-size values on typed arrays: 52 bytes an entry at full
 * load, no object per entry. Ids are outputs of a keyed hash, so their first bytes serve as the hash.
 * Values are `width` unsigned 32-bit integers. Not for ids chosen by an attacker without the key.
 */
export class IdTable {
  readonly #width: number;
  #ids: Uint8Array;
  #values: Uint32Array;
  #used: Uint8Array;
  #capacity: number;
  #size = 0;

  constructor(width: number, expected = 1024) {
    this.#width = width;
    this.#capacity = 1024;
    while (this.#capacity * 0.75 < expected) this.#capacity *= 2;
    this.#ids = new Uint8Array(this.#capacity * 32);
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

  /** Where the id is, or where it belongs. No allocation: it is asked for every chunk of every index. */
  #slot(id: BlobId): number {
    const mask = this.#capacity - 1;
    const word = (id[0] ?? 0) | ((id[1] ?? 0) << 8) | ((id[2] ?? 0) << 16) | ((id[3] ?? 0) << 24);
    let slot = word & mask;
    while (this.#used[slot] === 1 && !this.#holds(slot, id)) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #holds(slot: number, id: BlobId): boolean {
    const at = slot * 32;
    for (let byte = 0; byte < 32; byte += 1) if (this.#ids[at + byte] !== id[byte]) return false;
    return true;
  }

  #grow(): void {
    const old = { ids: this.#ids, values: this.#values, used: this.#used, capacity: this.#capacity };
    this.#capacity *= 2;
    this.#ids = new Uint8Array(this.#capacity * 32);
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
