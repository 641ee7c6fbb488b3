/**
 * # S3
 *
 * Words: a *key* is the prefix of the repository followed by an object name.
 *
 * Invariants: every PUT carries Content-MD5 and is confirmed by an ETag that is this MD5, or else by HEAD. A PUT that may
 * have been carried out is looked after with HEAD before it counts as failed. Without proven conditional PUT, HEAD comes
 * first, so that a well-behaved writer overwrites nothing. Ranges are exact and checked by Content-Range and by count.
 * Nothing else is repeated here, and no sub-resource of an object is ever addressed: some servers take that for a PUT.
 */
import { createHash } from 'node:crypto';
import { equalBytes } from '../../../core/bytes.ts';
import { StorageError } from '../../../core/errors.ts';
import {
  type CallOptions,
  checkObjectName,
  type ListOptions,
  type ObjectInfo,
  type ObjectName,
  type PutResult,
  type Storage,
  type StorageCapabilities,
} from '../storage.ts';
import { checkRange, conflict, notFound } from '../store-errors.ts';
import { Questions } from './at-once.ts';
import { pages } from './pages.ts';
import { wrongLength } from './read-body.ts';
import { type S3Options, s3Settings } from './s3-options.ts';
import { type RawObject, S3Raw } from './s3-raw.ts';

/** Up to this size an object of the same name is read to see whether it is the same; beyond it, the size must do. */
const comparedBytes = 2 ** 20;

/** Makes no request; the SDK is loaded with the first one. @throws UsageError for options that cannot work. */
export function s3Storage(options: S3Options): S3Storage {
  const raw = new S3Raw(s3Settings(options));
  return new S3Storage(raw, {
    conditionalPut: options.conditionalPut ?? false,
    visibilityBoundMs: options.visibilityBoundMs,
    canDelete: options.canDelete ?? true,
    slabBytes: undefined,
    costlyBarrier: false,
    packBytes: options.packBytes ?? 40 * 2 ** 20,
    concurrency: options.concurrency ?? 4,
  });
}

export class S3Storage implements Storage {
  readonly location: string;
  /** For the probe and for the gateways built on S3. */
  readonly raw: S3Raw;
  readonly #prefix: string;
  #capabilities: StorageCapabilities;
  readonly #presence: Questions<ObjectInfo | undefined>;
  /** The bucket has been seen, so a 404 means the object. */
  #bucketSeen = false;
  /** An ETag of this bucket was the MD5 of what was put, so every one must be. */
  #etagIsMd5 = false;

  constructor(raw: S3Raw, capabilities: StorageCapabilities) {
    const { endpoint, bucket, prefix } = raw.settings;
    this.location = `s3://${endpoint.host}/${bucket}/${prefix}`;
    this.#capabilities = capabilities;
    this.raw = raw;
    this.#prefix = prefix;
    this.#presence = new Questions(capabilities.concurrency, (name, signal) => this.head(name, { signal }));
  }

  get capabilities(): StorageCapabilities {
    return this.#capabilities;
  }

  async put(name: ObjectName, bytes: Uint8Array, options: CallOptions = {}): Promise<PutResult> {
    const md5 = createHash('md5').update(bytes).digest();
    if (this.#capabilities.conditionalPut) {
      try {
        return await this.#store(name, bytes, md5, options, true);
      } catch (error) {
        // Said so at the first PUT at the latest; nothing is stored that way, and the other way remains.
        if (!(error instanceof StorageError) || error.context['status'] !== 501) throw error;
        this.#capabilities = { ...this.#capabilities, conditionalPut: false };
      }
    }
    if ((await this.#compare(name, bytes, md5, options)) === 'same') return 'exists';
    return this.#store(name, bytes, md5, options, false);
  }

  async get(name: ObjectName, options: CallOptions = {}): Promise<Uint8Array> {
    const { bytes, lengthKnown } = await this.#reading(name, () => this.raw.get(this.key(name), options));
    // Without an announced length the end of the connection looks like the end of the object.
    if (!lengthKnown) {
      const info = await this.raw.head(this.key(name), options);
      if (info?.sizeBytes !== bytes.byteLength) {
        throw wrongLength(this.#call(name), `has ${String(bytes.byteLength)} bytes, not those of the object`, 'later');
      }
    }
    return bytes;
  }

  async getRange(name: ObjectName, offset: number, length: number, options: CallOptions = {}): Promise<Uint8Array> {
    const key = this.key(name);
    checkRange(name, offset, length, Number.MAX_SAFE_INTEGER);
    if (length === 0) {
      await this.#checkRangeOf(name, offset, 0, options);
      return new Uint8Array(0);
    }
    const range = `${String(offset)}-${String(offset + length - 1)}`;
    try {
      const { bytes, contentRange } = await this.#reading(name, () =>
        this.raw.get(key, { ...options, range: `bytes=${range}` }),
      );
      if (contentRange?.startsWith(`bytes ${range}/`) === true && bytes.byteLength === length) return bytes;
      await this.#checkRangeOf(name, offset, length, options);
      throw wrongLength(this.#call(name), `to bytes ${range} was ${contentRange ?? 'without a range'}`, 'later');
    } catch (error) {
      // A range past the end is 416 on most servers and 500 on some; only the size tells it from a failing server.
      const status = error instanceof StorageError ? error.context['status'] : undefined;
      if (status === 416 || status === 500) await this.#checkRangeOf(name, offset, length, options);
      throw error;
    }
  }

  async head(name: ObjectName, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const info = await this.#find(name, options);
    return info && { name, sizeBytes: info.sizeBytes, modifiedMs: info.modifiedMs };
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    const { startAfter, signal } = options;
    const request = {
      signal,
      prefix: this.#prefix + prefix,
      startAfter: startAfter === undefined ? undefined : this.#prefix + startAfter,
    };
    for await (const page of pages(this.raw, request)) {
      this.#bucketSeen = true;
      for (const { key, sizeBytes, modifiedMs } of page.objects) {
        const name = key.slice(this.#prefix.length);
        // The folder markers of some tools, and servers that do not know StartAfter.
        if (name === '' || name.endsWith('/') || (startAfter !== undefined && name <= startAfter)) continue;
        yield { name, sizeBytes, modifiedMs };
      }
    }
  }

  async folders(prefix: string, options: CallOptions = {}): Promise<readonly string[]> {
    const start = this.#prefix + prefix;
    const found = new Set<string>();
    for await (const page of pages(this.raw, { signal: options.signal, prefix: start, delimiter: '/' })) {
      for (const common of page.prefixes) found.add(common.slice(start.length, -1));
    }
    return [...found];
  }

  async delete(name: ObjectName, options: CallOptions = {}): Promise<void> {
    try {
      await this.raw.delete(this.key(name), options);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      // renterd answers 500 to the deletion of a missing object.
      const { status } = error.context;
      const doubtful = status === 500 || error.code === 'storage.not-found';
      if (!doubtful || (await this.#find(name, options)) !== undefined) throw error;
    }
  }

  /** Every PUT was confirmed already; what is looked for here are objects that vanished since. */
  async barrier(names: readonly ObjectName[], options: CallOptions = {}): Promise<void> {
    await this.present(names, options);
  }

  async pending(): Promise<readonly ObjectName[]> {
    return [];
  }

  /** What HEAD says of each; of many, what was answered before a failure is not asked again. @throws StorageError `storage.not-found` when one is missing. */
  async present(names: readonly ObjectName[], options: CallOptions = {}): Promise<readonly ObjectInfo[]> {
    const infos = await this.#presence.all(names, options.signal);
    return infos.map((info, at) => {
      if (info === undefined) throw notFound(names[at] ?? '');
      return info;
    });
  }

  async clock(options: CallOptions = {}): Promise<number | undefined> {
    try {
      await this.raw.headBucket(options);
      this.#bucketSeen = true;
    } catch (error) {
      // The answer to a refused request carries the time as well.
      if (!(error instanceof StorageError) || error.context['status'] === undefined) throw error;
    }
    return this.raw.storeMs;
  }

  async close(): Promise<void> {
    await this.raw.close();
  }

  key(name: ObjectName): string {
    return this.#prefix + checkObjectName(name);
  }

  /** One PUT, made sure of. */
  async #store(
    name: ObjectName,
    bytes: Uint8Array,
    md5: Buffer,
    options: CallOptions,
    ifNoneMatch: boolean,
  ): Promise<PutResult> {
    try {
      const contentMd5 = md5.toString('base64');
      const etag = await this.raw.put(this.key(name), bytes, { ...options, ifNoneMatch, contentMd5 });
      await this.#confirm(name, bytes, md5, etag, options);
      return 'created';
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      const { status, ambiguous } = error.context;
      if (ifNoneMatch && status === 412) return this.#occupied(name, bytes, md5, options, error);
      if (ambiguous === true && (await this.#wasStored(name, bytes, md5, options))) return 'created';
      throw error;
    }
  }

  /** Trusts an ETag that is the MD5; asks when it is something else. */
  async #confirm(name: ObjectName, bytes: Uint8Array, md5: Buffer, etag: string, options: CallOptions): Promise<void> {
    if (etag === md5.toString('hex')) {
      this.#etagIsMd5 = true;
      this.#bucketSeen = true;
      return;
    }
    const info = await this.#find(name, options);
    const wrongEtag = this.#etagIsMd5 && info?.etag !== md5.toString('hex');
    if (info?.sizeBytes === bytes.byteLength && !wrongEtag) return;
    const what = info === undefined ? 'the object is not there' : 'the object is not what was sent';
    throw new StorageError('storage.corrupt', `storing ${name}: the store said yes, and then ${what}`, {
      retry: info === undefined ? 'later' : 'never',
      hint: 'The store, or a proxy before it, loses or changes data. Do not trust it with backups.',
      context: { object: name },
    });
  }

  /** Whether `name` holds these bytes, as far as can be told; `absent` when there is no such object. @throws StorageError `storage.conflict` */
  async #compare(name: ObjectName, bytes: Uint8Array, md5: Buffer, options: CallOptions): Promise<'same' | 'absent'> {
    const info = await this.#find(name, options);
    if (info === undefined) return 'absent';
    if (info.sizeBytes !== bytes.byteLength) throw conflict(name);
    if (info.etag === md5.toString('hex')) return 'same';
    if (this.#etagIsMd5) throw conflict(name);
    if (info.sizeBytes > comparedBytes) return 'same';
    if (!equalBytes(await this.get(name, { signal: options.signal }), bytes)) throw conflict(name);
    return 'same';
  }

  async #occupied(
    name: ObjectName,
    bytes: Uint8Array,
    md5: Buffer,
    options: CallOptions,
    cause: StorageError,
  ): Promise<PutResult> {
    if ((await this.#compare(name, bytes, md5, options)) === 'same') return 'exists';
    throw new StorageError('storage.unavailable', `storing ${name}: an object was there and vanished again`, {
      retry: 'later',
      cause,
      context: { object: name },
    });
  }

  /** After a PUT that may have been carried out. A second failure here leaves the first one to be told. */
  async #wasStored(name: ObjectName, bytes: Uint8Array, md5: Buffer, options: CallOptions): Promise<boolean> {
    try {
      return (await this.#compare(name, bytes, md5, options)) === 'same';
    } catch (error) {
      if (error instanceof StorageError && error.code !== 'storage.conflict') return false;
      throw error;
    }
  }

  async #reading<T>(name: ObjectName, read: () => Promise<T>): Promise<T> {
    try {
      const result = await read();
      this.#bucketSeen = true;
      return result;
    } catch (error) {
      if (error instanceof StorageError && error.code === 'storage.not-found') throw notFound(name, error);
      throw error;
    }
  }

  /** @throws StorageError `storage.corrupt` unless the range lies within the object; `storage.not-found`. */
  async #checkRangeOf(name: ObjectName, offset: number, length: number, options: CallOptions): Promise<void> {
    const info = await this.#find(name, options);
    if (info === undefined) throw notFound(name);
    checkRange(name, offset, length, info.sizeBytes);
  }

  /** HEAD, in whose 404 a missing bucket looks like a missing object: the first one is therefore asked about the bucket too. */
  async #find(name: ObjectName, { signal }: CallOptions): Promise<RawObject | undefined> {
    const info = await this.raw.head(this.key(name), { signal });
    if (info === undefined && !this.#bucketSeen) await this.#seeBucket({ signal });
    else this.#bucketSeen = true;
    return info;
  }

  async #seeBucket(options: CallOptions): Promise<void> {
    const { bucket } = this.raw.settings;
    try {
      await this.raw.headBucket(options);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      if (error.code === 'storage.not-found') {
        throw new StorageError('storage.failed', `there is no bucket ${bucket} at ${this.location}`, {
          cause: error,
          hint: 'Create the bucket, or correct its name in the configuration.',
        });
      }
      // Keys that may not ask about the bucket are none the worse for it.
      if (error.code !== 'storage.refused') throw error;
    }
    this.#bucketSeen = true;
  }

  #call(name: ObjectName): { readonly operation: string; readonly subject: string } {
    return { operation: 'GetObject', subject: this.key(name) };
  }
}
