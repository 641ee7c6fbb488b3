import { equalBytes } from '../../core/bytes.ts';
import { systemClock, type Clock } from '../../core/clock.ts';
import { StorageError } from '../../core/errors.ts';
import { checkSignal, paceAll } from './calls.ts';
import {
  checkObjectName,
  type CallOptions,
  type ListOptions,
  type ObjectInfo,
  type ObjectName,
  type PutResult,
  type Storage,
  type StorageCapabilities,
} from './storage.ts';
import { checkRange, conflict, notFound } from './store-errors.ts';

export interface MemoryOptions {
  readonly clock?: Clock;
  /** How long a new object stays invisible to `get`, `getRange`, `head` and `barrier`. Default 0. */
  readonly readDelayMs?: (name: ObjectName) => number;
  /** How long a new object stays out of listings, and a deleted one in them. Default 0. */
  readonly listDelayMs?: (name: ObjectName) => number;
  readonly capabilities?: Partial<StorageCapabilities>;
}

interface Held {
  readonly bytes: Uint8Array;
  readonly modifiedMs: number;
  readonly readableFromMs: number;
  readonly listedFromMs: number;
}

interface Ghost {
  readonly info: ObjectInfo;
  readonly listedUntilMs: number;
}

/**
 * A store in memory, for tests and the simulation. With delays it breaks invariant 2 on purpose, within the visibility
 * bound it declares, as eventually consistent stores do. Nothing is lost by `close`: a test that plays a crash goes on
 * with the same instance.
 */
export class MemoryStorage implements Storage {
  readonly location = 'memory://';
  readonly capabilities: StorageCapabilities;
  readonly #clock: Clock;
  readonly #readDelayMs: (name: ObjectName) => number;
  readonly #listDelayMs: (name: ObjectName) => number;
  readonly #objects = new Map<ObjectName, Held>();
  readonly #ghosts = new Map<ObjectName, Ghost>();

  constructor(options: MemoryOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#readDelayMs = options.readDelayMs ?? (() => 0);
    this.#listDelayMs = options.listDelayMs ?? (() => 0);
    this.capabilities = {
      conditionalPut: true,
      visibilityBoundMs: 0,
      canDelete: true,
      slabBytes: undefined,
      costlyBarrier: false,
      packBytes: 16 * 2 ** 20,
      concurrency: 8,
      ...options.capabilities,
    };
  }

  /** Names of everything stored, visible or not, in byte order. */
  names(): ObjectName[] {
    return [...this.#objects.keys()].sort();
  }

  /** Puts other bytes under a name behind everybody's back (`undefined`: none), visible at once: bit rot, loss, an attacker. */
  tamper(name: ObjectName, bytes: Uint8Array | undefined): void {
    this.#ghosts.delete(name);
    if (!bytes) this.#objects.delete(name);
    else {
      this.#objects.set(name, {
        bytes: bytes.slice(),
        modifiedMs: this.#clock.now(),
        readableFromMs: 0,
        listedFromMs: 0,
      });
    }
  }

  async put(name: ObjectName, bytes: Uint8Array, options: CallOptions = {}): Promise<PutResult> {
    checkObjectName(name);
    checkSignal(options.signal);
    await paceAll(options.pace, bytes.byteLength);
    checkSignal(options.signal);
    const held = this.#objects.get(name);
    if (held) {
      if (equalBytes(held.bytes, bytes)) return 'exists';
      throw conflict(name);
    }
    const now = this.#clock.monotonic();
    this.#ghosts.delete(name);
    this.#objects.set(name, {
      bytes: bytes.slice(),
      modifiedMs: this.#clock.now(),
      readableFromMs: now + this.#readDelayMs(name),
      listedFromMs: now + this.#listDelayMs(name),
    });
    return 'created';
  }

  async get(name: ObjectName, options: CallOptions = {}): Promise<Uint8Array> {
    const { bytes } = this.#readable(name, options);
    await paceAll(options.pace, bytes.byteLength);
    return bytes.slice();
  }

  async getRange(name: ObjectName, offset: number, length: number, options: CallOptions = {}): Promise<Uint8Array> {
    const { bytes } = this.#readable(name, options);
    checkRange(name, offset, length, bytes.byteLength);
    await paceAll(options.pace, length);
    return bytes.slice(offset, offset + length);
  }

  async head(name: ObjectName, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const held = this.#visible(name, options);
    return held && describe(name, held);
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    checkSignal(options.signal);
    const after = options.startAfter ?? '';
    for (const info of this.#listed()) {
      if (!info.name.startsWith(prefix) || info.name <= after) continue;
      await Promise.resolve();
      checkSignal(options.signal);
      yield info;
    }
  }

  async folders(prefix: string, options: CallOptions = {}): Promise<readonly string[]> {
    const found = new Set<string>();
    for await (const { name } of this.list(prefix, options)) {
      const end = name.indexOf('/', prefix.length);
      if (end >= 0) found.add(name.slice(prefix.length, end));
    }
    return [...found];
  }

  async delete(name: ObjectName, options: CallOptions = {}): Promise<void> {
    const held = this.#visible(name, options);
    if (!this.capabilities.canDelete) {
      throw new StorageError('storage.refused', `deleting ${name}: this store does not delete`);
    }
    this.#objects.delete(name);
    const stale = this.#listDelayMs(name);
    if (held && stale > 0) {
      this.#ghosts.set(name, { info: describe(name, held), listedUntilMs: this.#clock.monotonic() + stale });
    }
  }

  async barrier(names: readonly ObjectName[], options: CallOptions = {}): Promise<void> {
    for (const name of names) this.#readable(name, options);
  }

  async pending(_names: readonly ObjectName[], options: CallOptions = {}): Promise<readonly ObjectName[]> {
    checkSignal(options.signal);
    return [];
  }

  async clock(options: CallOptions = {}): Promise<number | undefined> {
    checkSignal(options.signal);
    return this.#clock.now();
  }

  async close(): Promise<void> {
    // Kept, see above.
  }

  #listed(): ObjectInfo[] {
    const now = this.#clock.monotonic();
    const listed: ObjectInfo[] = [];
    for (const [name, held] of this.#objects) if (held.listedFromMs <= now) listed.push(describe(name, held));
    for (const [name, ghost] of this.#ghosts) {
      if (ghost.listedUntilMs > now) listed.push(ghost.info);
      else this.#ghosts.delete(name);
    }
    return listed;
  }

  #visible(name: ObjectName, options: CallOptions): Held | undefined {
    checkObjectName(name);
    checkSignal(options.signal);
    const held = this.#objects.get(name);
    return held && held.readableFromMs <= this.#clock.monotonic() ? held : undefined;
  }

  #readable(name: ObjectName, options: CallOptions): Held {
    const held = this.#visible(name, options);
    if (!held) throw notFound(name);
    return held;
  }
}

export function memoryStorage(options: MemoryOptions = {}): MemoryStorage {
  return new MemoryStorage(options);
}

function describe(name: ObjectName, held: Held): ObjectInfo {
  return { name, sizeBytes: held.bytes.byteLength, modifiedMs: held.modifiedMs };
}
