import type { BlobId, PackId, SegmentId } from '../../core/ids.ts';
import type { IndexedPack } from '../format/index-segment.ts';
import { blobKindNumber, blobKindOf } from '../format/blob.ts';
import { alivePart, type BlobTable, type DeadSet, type TableStamp } from './blob-table.ts';
import { IdTable } from './id-table.ts';
import type { BlobLocation } from './repository.ts';

const fields = { pack: 0, offset: 1, sealed: 2, plain: 3, form: 4 } as const;
const width = 5;

/** The table in typed arrays: where LMDB does not load, and for blobs stored by a session but not yet named by the journal. */
export class MemoryTable implements BlobTable {
  readonly #ids = new IdTable(width);
  readonly #packs: { readonly id: PackId; readonly epoch: number; readonly packBytes: number }[] = [];
  readonly #segments = new Set<SegmentId>();
  #dead: DeadSet = new Set();

  get size(): number {
    return this.#ids.size;
  }

  stamp(): TableStamp {
    return { segments: this.#segments, dead: this.#dead };
  }

  setDead(dead: DeadSet): void {
    this.#dead = new Set(dead);
  }

  add(segment: SegmentId, packs: readonly IndexedPack[]): void {
    if (this.#segments.has(segment)) return;
    this.addPacks(packs);
    this.#segments.add(segment);
  }

  /** Packs without a segment: only for a session's own, confirmed packs. */
  addPacks(packs: readonly IndexedPack[]): void {
    for (const pack of alivePart(packs, this.#dead)) {
      const number = this.#packs.push({ id: pack.id, epoch: pack.epoch, packBytes: pack.sizeBytes }) - 1;
      for (const entry of pack.entries) {
        if (this.#ids.find(entry.id) >= 0) continue;
        const index = this.#ids.put(entry.id);
        this.#ids.setValue(index, fields.pack, number);
        this.#ids.setValue(index, fields.offset, entry.offset);
        this.#ids.setValue(index, fields.sealed, entry.sealedLength);
        this.#ids.setValue(index, fields.plain, entry.plainLength);
        this.#ids.setValue(index, fields.form, blobKindNumber(entry.kind) * 256 + entry.codec);
      }
    }
  }

  packNumberOf(id: BlobId): number {
    const index = this.#ids.find(id);
    return index < 0 ? -1 : this.#ids.value(index, fields.pack);
  }

  packAt(number: number): PackId {
    const pack = this.#packs[number];
    if (!pack) throw new RangeError(`no pack number ${String(number)}`);
    return pack.id;
  }

  get(id: BlobId): BlobLocation | undefined {
    const index = this.#ids.find(id);
    if (index < 0) return undefined;
    const pack = this.#packs[this.#ids.value(index, fields.pack)];
    if (!pack) return undefined;
    const form = this.#ids.value(index, fields.form);
    return {
      pack: pack.id,
      epoch: pack.epoch,
      packBytes: pack.packBytes,
      entry: {
        kind: blobKindOf(Math.floor(form / 256)),
        codec: form % 256 === 0 ? 0 : 1,
        id,
        offset: this.#ids.value(index, fields.offset),
        sealedLength: this.#ids.value(index, fields.sealed),
        plainLength: this.#ids.value(index, fields.plain),
      },
    };
  }

  *packs(): Generator<PackId> {
    for (const pack of this.#packs) yield pack.id;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
