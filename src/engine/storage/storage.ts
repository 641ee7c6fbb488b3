/**
 * # Storage: the plain object store under a repository
 *
 * Words: an *object* is a name and immutable bytes. A *store* keeps objects. A *decorator* is a `Storage` over another
 * one (retry, throttle, concurrency, read-only, faulty); decorators are stacked in `engine/index.ts` and nowhere else.
 *
 * Invariants every implementation keeps, proven by `test/contracts/storage-contract.ts`:
 *
 * 1. **Create only.** No name ever has two contents. `put` of a name that exists with the same bytes answers `exists`;
 *    with other bytes it throws `storage.conflict` where the store can tell, and never leaves a mixture. Because almost
 *    every name of a repository ends in the SHA-256 of its bytes, a store without conditional PUT is safe too.
 * 2. **All or nothing.** When `put` resolves, the whole object is readable under its name and survives a crash of this
 *    process. A `put` that throws may or may not have stored the object; repeating it is always right.
 * 3. **Exact reads.** `get` and `getRange` return exactly the bytes that were put, or throw. A short or long answer is
 *    `storage.corrupt`, never a shorter array. A range that does not lie within the object throws `storage.corrupt`.
 * 4. **Absence is an answer.** A missing object is `storage.not-found` (from `get`, `getRange`), `undefined` (from
 *    `head`) and success (from `delete`). Nothing else is reported as absence: a failed request is not a missing object.
 * 5. **Complete listings.** `list` yields every object that existed, visibly, through the whole call, in no particular
 *    order, at least once; or it throws. A listing that breaks off never ends normally.
 * 6. **Buffers.** `put` reads `bytes` until it settles, does not keep or change them, and the caller must not change
 *    them meanwhile. Returned arrays belong to the caller.
 * 7. **Errors** are `StorageError`s (or `CancelledError`). `retry: 'later'` marks what a retry may mend; everything else is
 *    final. Only the retry decorator retries.
 * 8. **Pace.** `put`, `get` and `getRange` ask `pace`, where it is given, for every byte of the body they move.
 *
 * Every call ends soon after its `signal` aborts, with `CancelledError`.
 */

/** Relative name of an object: `[a-z0-9._/-]`, at most 200 bytes, no empty, `.` or `..` segments. */
export type ObjectName = string;

export interface ObjectInfo {
  readonly name: ObjectName;
  readonly sizeBytes: number;
  /** When the store says it was written: milliseconds since the epoch, by the store's clock. */
  readonly modifiedMs: number;
}

/**
 * Leave to move a part of a body: resolves with how many of the `wantedBytes` may be moved now, at least 1. A store asks
 * before each piece that it sends, and after each piece that it received before it takes the next, so that a limited
 * rate flows evenly instead of in one burst an object. The time it takes is not lack of progress.
 * @throws CancelledError when the call's signal aborts.
 */
export type Pace = (wantedBytes: number) => Promise<number>;

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly pace?: Pace | undefined;
}

export interface ListOptions extends CallOptions {
  /** Only names after this one in byte order. */
  readonly startAfter?: ObjectName | undefined;
}

export interface StorageCapabilities {
  /** `put` of an existing name is refused by the store itself, atomically. */
  readonly conditionalPut: boolean;
  /** After at most this long every reader and every listing sees what was put. `undefined`: nobody knows, so no maintenance. */
  readonly visibilityBoundMs: number | undefined;
  /** `delete` works with the credentials in use. */
  readonly canDelete: boolean;
  /** Objects of a multiple of this size leave the gateway without padding (Sia slabs). `undefined`: any size is as good. */
  readonly slabBytes: number | undefined;
  /** A barrier costs money or time, so it is shared by many snapshots. */
  readonly costlyBarrier: boolean;
  /** Size of a pack that suits the store, in bytes. */
  readonly packBytes: number;
  /** Requests that may run at once to begin with. */
  readonly concurrency: number;
}

/** `created`: this call stored it. `exists`: an object of that name and the same bytes (as far as the store can tell) was there. */
export type PutResult = 'created' | 'exists';

export interface Storage {
  /** For people: `file:///mnt/nas/nestegg`, `s3://host/bucket/prefix/`. No credentials. */
  readonly location: string;
  readonly capabilities: StorageCapabilities;

  put(name: ObjectName, bytes: Uint8Array, options?: CallOptions): Promise<PutResult>;
  get(name: ObjectName, options?: CallOptions): Promise<Uint8Array>;
  getRange(name: ObjectName, offset: number, length: number, options?: CallOptions): Promise<Uint8Array>;
  head(name: ObjectName, options?: CallOptions): Promise<ObjectInfo | undefined>;
  /** Every object whose name starts with `prefix` (empty: all). */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;
  /** The distinct next path segments below `prefix`, which ends in `/`: `journal/` gives the writers. Without the slash. */
  folders(prefix: string, options?: CallOptions): Promise<readonly string[]>;
  delete(name: ObjectName, options?: CallOptions): Promise<void>;

  /**
   * Resolves when all named objects are as durable as this store can make them before a commit names them: on a disk
   * after fsync of files and folders; on S3 after the confirmed PUTs; on Sia once packs that are slab multiples are
   * on hosts. Idempotent. @throws StorageError when an object is missing.
   */
  barrier(names: readonly ObjectName[], options?: CallOptions): Promise<void>;

  /** Those of `names` that have not demonstrably left the gateway's own disk. Empty where there is no gateway. */
  pending(names: readonly ObjectName[], options?: CallOptions): Promise<readonly ObjectName[]>;

  /** The store's clock, in milliseconds since the epoch, if it tells. */
  clock(options?: CallOptions): Promise<number | undefined>;

  /** Ends connections and timers. The storage is not used afterwards. */
  close(): Promise<void>;
}

const nameShape = /^[a-z0-9._-]+(\/[a-z0-9._-]+)*$/;

/** @throws RangeError unless `name` is an object name as defined above. */
export function checkObjectName(name: string): ObjectName {
  if (name.length > 200 || !nameShape.test(name) || name.split('/').some((part) => part === '.' || part === '..')) {
    throw new RangeError(`not an object name: ${JSON.stringify(name.slice(0, 80))}`);
  }
  return name;
}
