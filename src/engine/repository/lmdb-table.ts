import { randomBytes } from 'node:crypto';
import type { Database, RootDatabase } from 'lmdb';
import { asBuffer } from '../../core/bytes.ts';
import { packId, segmentId, type BlobId, type PackId, type SegmentId } from '../../core/ids.ts';
import { KeyedBlake3 } from '../crypto/blake3.ts';
import type { IndexedPack } from '../format/index-segment.ts';
import { blobKindNumber, blobKindOf, type PackEntry } from '../format/pack.ts';
import type { BlobTable, TableStamp } from './blob-table.ts';
import type { BlobLocation } from './repository.ts';

type Lmdb = typeof import('lmdb');

const valueLength = 22;
const checkLength = 4;

/** The module, or `undefined` where its native part does not load. */
export async function loadLmdb(): Promise<Lmdb | undefined> {
  try {
    return await import('lmdb');
  } catch {
    return undefined;
  }
}

/**
 * The table in LMDB. Processes share it: they only ever add, and a table that must lose something is replaced by
 * another folder. Every value carries a 32-bit BLAKE3 check over key and value, keyed per table, so that a flipped bit
 * on the local disk is a miss and never a phantom.
 */
export class LmdbTable implements BlobTable {
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #blobs: Database<Buffer, Buffer>;
  readonly #meta: Database<Buffer, string>;
  readonly #check: KeyedBlake3;
  readonly #packs: { id: PackId; epoch: number }[] = [];

  constructor(lmdb: Lmdb, directory: string) {
    this.#root = lmdb.open<Buffer, Buffer>({ path: directory, encoding: 'binary', keyEncoding: 'binary', maxDbs: 2 });
    this.#blobs = this.#root.openDB<Buffer, Buffer>({ name: 'blobs', encoding: 'binary', keyEncoding: 'binary' });
    this.#meta = this.#root.openDB<Buffer, string>({ name: 'meta', encoding: 'binary' });
    this.#check = new KeyedBlake3(this.#checkKey());
  }

  get size(): number {
    const stats: unknown = this.#blobs.getStats();
    return typeof stats === 'object' && stats !== null && 'entryCount' in stats ? Number(stats.entryCount) : 0;
  }

  stamp(): TableStamp {
    return {
      segments: new Set(this.#ids('segments').map((id) => segmentId(id))),
      deadPacks: new Set(this.#ids('dead').map((id) => packId(id))),
    };
  }

  setDeadPacks(packs: ReadonlySet<PackId>): void {
    this.#meta.putSync('dead', Buffer.from([...packs].join('')));
  }

  add(segment: SegmentId, packs: readonly IndexedPack[]): void {
    this.#root.transactionSync(() => {
      const segments = this.#ids('segments');
      if (segments.includes(segment)) return;
      const dead = new Set(this.#ids('dead'));
      for (const pack of packs) if (!dead.has(pack.id)) this.#addPack(pack);
      this.#meta.putSync('segments', Buffer.from([...segments, segment].join('')));
    });
  }

  packNumberOf(id: BlobId): number {
    const value = this.#value(id);
    return value ? value.readUInt32LE(0) : -1;
  }

  packAt(number: number): PackId {
    return this.#pack(number).id;
  }

  get(id: BlobId): BlobLocation | undefined {
    const value = this.#value(id);
    if (!value) return undefined;
    const pack = this.#pack(value.readUInt32LE(0));
    const entry: PackEntry = {
      kind: blobKindOf(value.readUInt8(16)),
      codec: value.readUInt8(17) === 0 ? 0 : 1,
      id,
      offset: value.readUInt32LE(4),
      sealedLength: value.readUInt32LE(8),
      plainLength: value.readUInt32LE(12),
    };
    return { pack: pack.id, epoch: pack.epoch, entry };
  }

  *packs(): Generator<PackId> {
    for (let number = 0; number < this.#packCount(); number += 1) yield this.packAt(number);
  }

  close(): void {
    void this.#root.close();
  }

  #addPack(pack: IndexedPack): void {
    const number = this.#packCount();
    this.#meta.putSync(`pack:${String(number)}`, Buffer.from(`${pack.id}${String(pack.epoch)}`));
    this.#meta.putSync('packs', Buffer.from(String(number + 1)));
    for (const entry of pack.entries) {
      const key = asBuffer(entry.id);
      if (this.#blobs.doesExist(key)) continue;
      const value = Buffer.alloc(valueLength);
      value.writeUInt32LE(number, 0);
      value.writeUInt32LE(entry.offset, 4);
      value.writeUInt32LE(entry.sealedLength, 8);
      value.writeUInt32LE(entry.plainLength, 12);
      value.writeUInt8(blobKindNumber(entry.kind), 16);
      value.writeUInt8(entry.codec, 17);
      const covered = value.subarray(0, valueLength - checkLength);
      value.set(this.#check.digest(key, covered).subarray(0, checkLength), valueLength - checkLength);
      this.#blobs.putSync(key, value);
    }
  }

  #value(id: BlobId): Buffer | undefined {
    const key = asBuffer(id);
    const value = this.#blobs.getBinaryFast(key);
    if (value?.length !== valueLength) return undefined;
    const check = this.#check.digest(key, value.subarray(0, valueLength - checkLength));
    for (let at = 0; at < checkLength; at += 1) {
      if (value[valueLength - checkLength + at] !== check[at]) return undefined;
    }
    return value;
  }

  #pack(number: number): { readonly id: PackId; readonly epoch: number } {
    const known = this.#packs[number];
    if (known) return known;
    const text = this.#meta.get(`pack:${String(number)}`)?.toString() ?? '';
    const pack = { id: packId(text.slice(0, 64)), epoch: Number(text.slice(64)) };
    this.#packs[number] = pack;
    return pack;
  }

  #packCount(): number {
    return Number(this.#meta.get('packs')?.toString() ?? '0');
  }

  #ids(name: 'segments' | 'dead'): string[] {
    return this.#meta.get(name)?.toString().match(/.{64}/g) ?? [];
  }

  #checkKey(): Uint8Array {
    const stored = this.#meta.get('check');
    if (stored?.length === 32) return stored;
    const key = randomBytes(32);
    return this.#root.transactionSync(() => {
      const raced = this.#meta.get('check');
      if (raced?.length === 32) return raced;
      this.#meta.putSync('check', key);
      return key;
    });
  }
}
