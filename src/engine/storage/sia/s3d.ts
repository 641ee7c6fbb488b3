import { type Clock, systemClock } from '../../../core/clock.ts';
import { StorageError } from '../../../core/errors.ts';
import { Semaphore } from '../../../core/semaphore.ts';
import type { S3Storage } from '../s3/s3-storage.ts';
import { Questions } from '../s3/at-once.ts';
import type { CallOptions, ObjectInfo, ObjectName } from '../storage.ts';
import type { FlushMemory } from './flush-memory.ts';
import type { GatewayApi } from './gateway-api.ts';
import { field, integer } from './json.ts';

interface Uploads {
  readonly pendingObjects: number;
  readonly failedUploads: number;
  /** The gateway's clock. */
  readonly gatewayMs: number;
}

export interface S3dOptions {
  /** Shortest time between two flushes: each uploads and pins slabs that are mostly padding. */
  readonly everyMs: number;
  /** How long one flush may take. It waits for the network with all that is pending. */
  readonly flushTimeoutMs: number;
  readonly memory: FlushMemory;
  readonly clock?: Clock | undefined;
}

/**
 * Which objects are on hosts, as far as s3d tells: only in sum. Every object lands on the gateway's disk first. An object
 * has demonstrably left it when nothing at all is pending, or when a flush that began after its PUT has succeeded.
 */
export class S3dObjects {
  readonly #api: GatewayApi;
  readonly #s3: S3Storage;
  readonly #options: S3dOptions;
  readonly #clock: Clock;
  /** Were there before the newest flush of this process began, whatever the second of their PUT. */
  #flushed: ReadonlySet<ObjectName> = new Set();
  readonly #turn = new Semaphore(1);
  readonly #heads: Questions<ObjectInfo | undefined>;

  constructor(api: GatewayApi, s3: S3Storage, options: S3dOptions) {
    this.#api = api;
    this.#s3 = s3;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#heads = new Questions(s3.capabilities.concurrency, (name, signal) => s3.head(name, { signal }));
  }

  /**
   * Pushes the objects out, at most every `everyMs`. Within that time of the last flush it resolves without one: the
   * objects are as durable as they can be by then, and `pending` goes on naming them.
   * @throws StorageError `storage.not-found`; `storage.unavailable` (later) when the flush fails.
   */
  async barrier(names: readonly ObjectName[], options: CallOptions): Promise<void> {
    if (names.length === 0) return;
    await this.#s3.present(names, options);
    // A flush under way may have begun before the last PUT, so it proves nothing here; two at once prove no more.
    const release = await this.#turn.take(1, options.signal);
    try {
      if ((await this.pending(names, options)).length === 0) return;
      const before = await this.#uploads(options);
      if (await this.#isDue(before.gatewayMs)) await this.#flush(names, before, options);
    } finally {
      release();
    }
  }

  /** A missing object has not demonstrably left the gateway either. */
  async pending(names: readonly ObjectName[], options: CallOptions): Promise<readonly ObjectName[]> {
    // First the objects, then the sum: what arrives in between only makes the sum larger.
    const infos = await this.#heads.all(names, options.signal);
    const { pendingObjects } = await this.#uploads(options);
    const last = await this.#options.memory.read();
    return names.filter((name, at) => {
      const info = infos[at];
      if (info === undefined) return true;
      if (pendingObjects === 0 || this.#flushed.has(name)) return false;
      // Times are told to the second, so a PUT in the second of the flush may have come after it.
      return last === undefined || Math.floor(info.modifiedMs / 1000) >= Math.floor(last / 1000);
    });
  }

  /** A last flush in the future is a clock set back: no reason to wait. */
  async #isDue(gatewayMs: number): Promise<boolean> {
    const last = await this.#options.memory.read();
    return last === undefined || gatewayMs < last || gatewayMs - last >= this.#options.everyMs;
  }

  async #flush(names: readonly ObjectName[], before: Uploads, { signal }: CallOptions): Promise<void> {
    const { status } = await this.#api.ask('/objects/flush', {
      method: 'POST',
      signal,
      timeoutMs: this.#options.flushTimeoutMs,
    });
    const after = await this.#uploads({ signal });
    if (status >= 300 || after.failedUploads > before.failedUploads) {
      throw new StorageError('storage.unavailable', 'the gateway could not push out everything that was pending', {
        retry: 'later',
        hint: 'Look into the log of s3d: the account may be full, or hosts out of reach.',
        context: { status, failedUploads: after.failedUploads - before.failedUploads },
      });
    }
    await this.#options.memory.write(before.gatewayMs);
    this.#flushed = new Set(names);
  }

  async #uploads({ signal }: CallOptions): Promise<Uploads> {
    const { json, status, gatewayMs } = await this.#api.ask('/stats/uploads', { signal });
    const pendingObjects = integer(field(json, 'pendingObjects'));
    const failedUploads = integer(field(json, 'failedUploads'));
    if (pendingObjects === undefined || failedUploads === undefined) {
      throw new StorageError('storage.failed', `s3d does not tell what is pending (status ${String(status)})`, {
        hint: 's3d 0.1.2 or later is needed.',
      });
    }
    return { pendingObjects, failedUploads, gatewayMs: gatewayMs ?? this.#clock.now() };
  }
}
