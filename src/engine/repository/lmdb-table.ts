import { randomBytes } from 'node:crypto';
import type * as lmdbModule from 'lmdb';
import type { Database, RootDatabase } from 'lmdb';
import { asBuffer } from '../../core/bytes.ts';
import { packId, segmentId, type BlobId, type PackId, type SegmentId } from '../../core/ids.ts';
import { KeyedBlake3 } from '../crypto/blake3.ts';
import type { IndexedPack } from '../format/index-segment.ts';
import { blobKindNumber, blobKindOf, type PackEntry } from '../format/blob.ts';
import { alivePart, type BlobTable, type DeadSet, type TableStamp } from './blob-table.ts';
import type { BlobLocation } from './repository.ts';

type Lmdb = typeof lmdbModule;

interface TablePack {
  readonly id: PackId;
  readonly epoch: number;
  readonly packBytes: number;
}

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
  readonly #packs: TablePack[] = [];

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
      segments: new Set(this.#segments()),
      dead: this.#dead(),
    };
  }

  setDead(dead: DeadSet): void {
    this.#meta.putSync('dead', Buffer.from([...dead].join(' ')));
  }

  add(segment: SegmentId, packs: readonly IndexedPack[]): void {
    this.#root.transactionSync(() => {
      const segments = this.#segments();
      if (segments.includes(segment)) return;
      for (const pack of alivePart(packs, this.#dead())) this.#addPack(pack);
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
    const number = value.readUInt32LE(0);
    const entry: PackEntry = {
      kind: blobKindOf(value.readUInt8(16)),
      codec: value.readUInt8(17) === 0 ? 0 : 1,
      id,
      offset: value.readUInt32LE(4),
      sealedLength: value.readUInt32LE(8),
      plainLength: value.readUInt32LE(12),
    };
    // Only now: the value lies in a buffer that the next read uses again.
    const pack = this.#pack(number);
    return { pack: pack.id, epoch: pack.epoch, packBytes: pack.packBytes, entry };
  }

  *packs(): Generator<PackId> {
    for (let number = 0; number < this.#packCount(); number += 1) yield this.packAt(number);
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  #addPack(pack: IndexedPack): void {
    const number = this.#packCount();
    this.#meta.putSync(`pack:${String(number)}`, Buffer.from([pack.id, pack.epoch, pack.sizeBytes].join(' ')));
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

  #pack(number: number): TablePack {
    const known = this.#packs[number];
    if (known) return known;
    const [id, epoch, packBytes] = (this.#meta.get(`pack:${String(number)}`)?.toString() ?? '').split(' ');
    const pack = { id: packId(id ?? ''), epoch: Number(epoch), packBytes: Number(packBytes) };
    this.#packs[number] = pack;
    return pack;
  }

  #packCount(): number {
    return Number(this.#meta.get('packs')?.toString() ?? '0');
  }

  #segments(): SegmentId[] {
    return (this.#meta.get('segments')?.toString().match(/.{64}/g) ?? []).map((id) => segmentId(id));
  }

  #dead(): DeadSet {
    const text = this.#meta.get('dead')?.toString() ?? '';
    return new Set(text === '' ? [] : text.split(' '));
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
