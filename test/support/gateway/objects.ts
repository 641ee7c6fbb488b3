import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Blobs, diskBlobs, memoryBlobs } from './blobs.ts';
import { type Catalogue, diskCatalogue, noCatalogue, type StoredObject } from './catalogue.ts';
import type { SiaGateway } from './profiles.ts';
import { SlabBuffers } from './slab-buffers.ts';
import { groupsToUpload } from './upload-groups.ts';

interface ObjectsOptions {
  readonly directory: string | undefined;
  readonly packing: SiaGateway | 'none';
  readonly slabBytes: number;
  readonly totalShards: number;
}

interface NewObject {
  readonly bucket: string;
  readonly key: string;
  readonly contentType: string;
  readonly modifiedMs: number;
  /** Hosts can be reached, so full slabs leave the gateway at once. */
  readonly hostsReachable: boolean;
}

/** Decides on the object that is there now whether a PUT goes through; called in the same step as the commit. */
export type Precondition = (current: StoredObject | undefined) => boolean;

export async function openObjects(options: ObjectsOptions): Promise<Objects> {
  const { directory } = options;
  if (directory === undefined) return new Objects(options, memoryBlobs(), noCatalogue);
  return new Objects(options, await diskBlobs(join(directory, 'blobs')), diskCatalogue(directory));
}

/** Buckets and their objects, with the rules by which bytes leave a Sia gateway. */
export class Objects {
  readonly packing: SiaGateway | 'none';
  readonly totalShards: number;
  readonly slabs: SlabBuffers;
  readonly #blobs: Blobs;
  readonly #catalogue: Catalogue;
  readonly #buckets = new Map<string, Map<string, StoredObject>>();
  /** s3d: objects that were replaced or deleted and not yet unpinned. */
  orphans = 0;

  constructor(options: ObjectsOptions, blobs: Blobs, catalogue: Catalogue) {
    this.packing = options.packing;
    this.totalShards = options.totalShards;
    this.#blobs = blobs;
    this.#catalogue = catalogue;
    const { objects, state } = catalogue.load();
    this.slabs = new SlabBuffers(options.slabBytes, state.slabs);
    for (const bucket of state.buckets) this.#buckets.set(bucket, new Map());
    for (const object of objects) this.#buckets.get(object.bucket)?.set(object.key, object);
  }

  makeBucket(name: string): boolean {
    if (this.#buckets.has(name)) return false;
    this.#buckets.set(name, new Map());
    this.#saveState();
    return true;
  }

  hasBucket(name: string): boolean {
    return this.#buckets.has(name);
  }

  buckets(): readonly string[] {
    return [...this.#buckets.keys()].sort();
  }

  /** @returns `undefined` when the precondition does not hold at the moment of the commit. */
  async put(
    target: NewObject,
    bytes: Uint8Array,
    allowed: Precondition = () => true,
  ): Promise<StoredObject | undefined> {
    const blob = await this.#blobs.write(bytes);
    const objects = this.#buckets.get(target.bucket);
    const before = objects?.get(target.key);
    if (objects === undefined || !allowed(before)) {
      await this.#blobs.remove(blob);
      return undefined;
    }
    const object: StoredObject = {
      bucket: target.bucket,
      key: target.key,
      sizeBytes: bytes.byteLength,
      etag: createHash('md5').update(bytes).digest('hex'),
      modifiedMs: target.modifiedMs,
      contentType: target.contentType,
      blob,
      slices: this.packing === 'renterd' ? this.slabs.place(bytes.byteLength, target.hostsReachable) : [],
      uploaded: bytes.byteLength === 0,
    };
    objects.set(target.key, object);
    this.#catalogue.save(object);
    if (this.packing !== 'none') this.#saveState();
    if (before !== undefined) await this.#drop(before);
    return object;
  }

  get(bucket: string, key: string): StoredObject | undefined {
    return this.#buckets.get(bucket)?.get(key);
  }

  read(object: StoredObject, start = 0, end = object.sizeBytes): Promise<Buffer> {
    return this.#blobs.read(object.blob, start, end);
  }

  async delete(bucket: string, key: string): Promise<boolean> {
    const object = this.get(bucket, key);
    if (object === undefined) return false;
    this.#buckets.get(bucket)?.delete(key);
    this.#catalogue.remove(object);
    await this.#drop(object);
    return true;
  }

  /** Keys in the order of their UTF-8 bytes. */
  keys(bucket: string): readonly string[] {
    const keys = [...(this.#buckets.get(bucket)?.keys() ?? [])];
    return keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  all(): readonly StoredObject[] {
    return [...this.#buckets.values()].flatMap((objects) => [...objects.values()]);
  }

  isPending(object: StoredObject): boolean {
    if (this.packing === 'renterd') return !this.slabs.isUploaded(object.slices);
    return this.packing === 's3d' && !object.uploaded;
  }

  pending(): { readonly objects: number; readonly bytes: number } {
    const pending = this.all().filter((object) => this.isPending(object));
    return { objects: pending.length, bytes: pending.reduce((sum, object) => sum + object.sizeBytes, 0) };
  }

  /** s3d's minute loop: what fills its slabs well enough is uploaded. */
  uploadGroups(): void {
    const pending = this.all().filter((object) => this.isPending(object));
    for (const group of groupsToUpload(pending, this.slabs.slabBytes)) this.#upload(group);
  }

  /** s3d's flush: everything is uploaded, whatever the padding. */
  flush(): void {
    this.#upload(this.all().filter((object) => this.isPending(object)));
  }

  async losePending(): Promise<number> {
    const lost = this.all().filter((object) => this.isPending(object));
    this.slabs.dropBuffers();
    for (const object of lost) await this.delete(object.bucket, object.key);
    return lost.length;
  }

  async peek(bucket: string, key: string): Promise<Uint8Array | undefined> {
    const object = this.get(bucket, key);
    return object && new Uint8Array(await this.read(object));
  }

  /** Replaces the bytes and the size, not the ETag and the time: silent damage. */
  async tamper(bucket: string, key: string, bytes: Uint8Array): Promise<void> {
    const object = this.get(bucket, key);
    if (object === undefined) throw new Error(`no object ${key}`);
    const changed = { ...object, blob: await this.#blobs.write(bytes), sizeBytes: bytes.byteLength };
    this.#buckets.get(bucket)?.set(key, changed);
    this.#catalogue.save(changed);
    await this.#blobs.remove(object.blob);
  }

  #upload(objects: readonly StoredObject[]): void {
    for (const object of objects) {
      object.uploaded = true;
      this.#catalogue.save(object);
    }
  }

  async #drop(object: StoredObject): Promise<void> {
    if (this.packing === 's3d') this.orphans += 1;
    if (this.packing === 'renterd') {
      this.slabs.keepOnly(new Set(this.all().flatMap((other) => other.slices.map((slice) => slice.slab))));
      this.#saveState();
    }
    await this.#blobs.remove(object.blob);
  }

  #saveState(): void {
    this.#catalogue.saveState({ buckets: this.buckets(), slabs: this.slabs.all() });
  }
}
