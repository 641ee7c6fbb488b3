import type { PackId } from '../../core/ids.ts';
import { packName } from '../format/names.ts';
import type { Storage } from '../storage/storage.ts';

const alignment = 2 ** 20;
const cacheBytes = 32 * 2 ** 20;

interface Range {
  readonly from: number;
  readonly bytes: Promise<Uint8Array>;
  readonly length: number;
}

/**
 * Reads parts of packs in ranges aligned to 1 MiB, so that the store learns nothing about where blobs end, and keeps the
 * last 32 MiB, because metadata lies close together.
 */
export class PackReader {
  readonly #storage: Storage;
  readonly #ranges = new Map<string, Range>();
  #held = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** `length` bytes of the pack from `offset`; a view that must not be changed. @throws StorageError */
  async read(
    pack: PackId,
    packSize: number,
    offset: number,
    length: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array> {
    const from = Math.floor(offset / alignment) * alignment;
    const to = Math.min(packSize, Math.ceil((offset + length) / alignment) * alignment);
    const key = `${pack}:${String(from)}:${String(to)}`;
    let range = this.#ranges.get(key);
    if (!range) {
      range = { from, length: to - from, bytes: this.#storage.getRange(packName(pack), from, to - from, { signal }) };
      this.#keep(key, range);
    }
    const bytes = await range.bytes;
    return bytes.subarray(offset - range.from, offset - range.from + length);
  }

  /** Forgets a pack, before its bytes are asked for again. */
  forget(pack: PackId): void {
    for (const key of [...this.#ranges.keys()]) if (key.startsWith(pack)) this.#drop(key);
  }

  #keep(key: string, range: Range): void {
    this.#ranges.set(key, range);
    this.#held += range.length;
    range.bytes.catch(() => {
      this.#drop(key);
    });
    for (const oldest of this.#ranges.keys()) {
      if (this.#held <= cacheBytes || oldest === key) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const range = this.#ranges.get(key);
    if (!range) return;
    this.#ranges.delete(key);
    this.#held -= range.length;
  }
}
