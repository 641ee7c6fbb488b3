import { constants } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../core/clock.ts';
import { StorageError, systemCode } from '../../../core/errors.ts';
import type { Random } from '../../../core/random.ts';
import { checkSignal, paceAll } from '../calls.ts';
import {
  checkObjectName,
  type CallOptions,
  type ListOptions,
  type ObjectInfo,
  type ObjectName,
  type PutResult,
  type Storage,
  type StorageCapabilities,
} from '../storage.ts';
import { checkRange, conflict, notFound } from '../store-errors.ts';
import type { FileCalls, OpenFile } from './file-calls.ts';
import { fileError, syncError } from './file-errors.ts';
import { parentOf, type Folders } from './folders.ts';
import { discard, holds, newTemporaryName, pieceBytes, writeTemporary } from './temporary.ts';
import { filledFolders, walk } from './walk.ts';

/** The longest that clients of a share keep what they know of a folder (NFS: `acdirmax`). */
const networkVisibilityMs = 60_000;
const concurrency = 4;

export interface FilesystemParts {
  readonly location: string;
  readonly files: FileCalls;
  readonly folders: Folders;
  readonly random: Random;
  readonly clock: Clock;
  /** On a network mount: everything is read back, and seen late by others. */
  readonly network: boolean;
  /** link(2) works, so that a name is given only if it is free. */
  readonly links: boolean;
}

/** See `openFilesystemStorage`, which makes it. */
export class FilesystemStorage implements Storage {
  readonly location: string;
  readonly capabilities: StorageCapabilities;
  readonly #parts: FilesystemParts;
  readonly #files: FileCalls;
  readonly #folders: Folders;
  /** Made durable by this instance and not yet asked for by a barrier. */
  readonly #durable = new Set<ObjectName>();

  constructor(parts: FilesystemParts) {
    this.location = parts.location;
    this.#parts = parts;
    this.#files = parts.files;
    this.#folders = parts.folders;
    this.capabilities = {
      conditionalPut: parts.links,
      visibilityBoundMs: parts.network ? networkVisibilityMs : 0,
      canDelete: true,
      slabBytes: undefined,
      costlyBarrier: false,
      packBytes: 16 * 2 ** 20,
      concurrency,
    };
  }

  async put(name: ObjectName, bytes: Uint8Array, options: CallOptions = {}): Promise<PutResult> {
    checkObjectName(name);
    return this.#doing(`storing ${name}`, options, async () => {
      await this.#folders.checkRoot();
      const result = await this.#store(name, bytes, options).catch((error: unknown) => {
        if (systemCode(error) !== 'ENOENT') throw error;
        // Its folder was removed between two looks at it: by a deletion, which leaves no empty folders.
        this.#folders.forget();
        return this.#store(name, bytes, options);
      });
      this.#durable.add(name);
      return result;
    });
  }

  async get(name: ObjectName, options: CallOptions = {}): Promise<Uint8Array> {
    return this.#reading(name, options, async (file) => {
      const { size } = await file.stat();
      return readExactly(file, name, 0, size, options);
    });
  }

  async getRange(name: ObjectName, offset: number, length: number, options: CallOptions = {}): Promise<Uint8Array> {
    return this.#reading(name, options, async (file) => {
      checkRange(name, offset, length, (await file.stat()).size);
      return readExactly(file, name, offset, length, options);
    });
  }

  async head(name: ObjectName, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    checkObjectName(name);
    return this.#doing(`looking at ${name}`, options, async () => {
      const found = await this.#find(name);
      return found && { name, sizeBytes: found.size, modifiedMs: Math.trunc(found.mtimeMs) };
    });
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    try {
      checkSignal(options.signal);
      if (await this.#folders.exists(parentOf(prefix))) yield* walk(prefix, this.#walking(options));
      // A disk that went away meanwhile looks like folders that went away.
      await this.#folders.checkRoot();
    } catch (error) {
      throw fileError(`listing ${prefix}`, error);
    }
  }

  async folders(prefix: string, options: CallOptions = {}): Promise<readonly string[]> {
    return this.#doing(`listing the folders of ${prefix}`, options, async () => {
      const folder = parentOf(prefix);
      const found = (await this.#folders.exists(folder)) ? await filledFolders(folder, this.#walking(options)) : [];
      await this.#folders.checkRoot();
      return found;
    });
  }

  async delete(name: ObjectName, options: CallOptions = {}): Promise<void> {
    checkObjectName(name);
    return this.#doing(`deleting ${name}`, options, async () => {
      if (!(await this.#find(name))) return;
      try {
        await this.#files.unlink(this.#folders.path(name));
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw error;
      }
      await this.#folders.prune(parentOf(name));
    });
  }

  async barrier(names: readonly ObjectName[], options: CallOptions = {}): Promise<void> {
    return this.#doing('making objects durable', options, async () => {
      const waiting = [...new Set(names)];
      const touched = new Set<string>();
      const work = async (): Promise<void> => {
        for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
          checkSignal(options.signal);
          if (this.#durable.delete(checkObjectName(name)) && (await this.#find(name))) continue;
          await this.#syncObject(name);
          touched.add(parentOf(name));
        }
      };
      await Promise.all(Array.from({ length: concurrency }, work));
      for (const folder of touched) {
        // Also makes each folder on the way durable in its parent.
        await this.#folders.prepare(folder);
        await this.#folders.sync(folder);
      }
    });
  }

  async pending(_names: readonly ObjectName[], options: CallOptions = {}): Promise<readonly ObjectName[]> {
    checkSignal(options.signal);
    return [];
  }

  async clock(options: CallOptions = {}): Promise<number | undefined> {
    return this.#doing('asking for the time', options, () =>
      Promise.resolve(this.#parts.network ? undefined : this.#parts.clock.now()),
    );
  }

  async close(): Promise<void> {
    this.#durable.clear();
  }

  async #store(name: ObjectName, bytes: Uint8Array, options: CallOptions): Promise<PutResult> {
    const folder = parentOf(name);
    await this.#folders.prepare(folder);
    if (await this.#find(name)) return this.#settleExisting(name, bytes, options);
    const temporary = this.#folders.path(join(folder, newTemporaryName(this.#parts.random)));
    await writeTemporary(this.#files, temporary, bytes, { ...options, readBack: this.#parts.network });
    if (!(await this.#publish(temporary, name))) return this.#settleExisting(name, bytes, options);
    await this.#folders.sync(folder);
    if ((await this.#find(name))?.size === bytes.byteLength) return 'created';
    throw new StorageError('storage.failed', `storing ${name}: it is not there after it was stored`, {
      hint: 'Another program removes or changes files of the repository, or the disk or share is faulty.',
    });
  }

  /** Gives the finished file its name; false when the name is taken. */
  async #publish(temporary: string, name: ObjectName): Promise<boolean> {
    const path = this.#folders.path(name);
    try {
      // A rename is not create-only, and declared so: `conditionalPut` is false.
      await (this.#parts.links ? this.#files.link(temporary, path) : this.#files.rename(temporary, path));
      return true;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
      return false;
    } finally {
      await discard(this.#files, temporary);
    }
  }

  async #settleExisting(name: ObjectName, bytes: Uint8Array, options: CallOptions): Promise<PutResult> {
    if (!(await holds(this.#files, this.#folders.path(name), bytes, options.signal))) throw conflict(name);
    // Whoever stored it may have crashed before it was durable.
    await this.#syncObject(name);
    await this.#folders.sync(parentOf(name));
    return 'exists';
  }

  async #syncObject(name: ObjectName): Promise<void> {
    await this.#reading(name, {}, async (file) => {
      try {
        await file.sync();
      } catch (error) {
        throw syncError(`making ${name} durable`, error);
      }
    });
  }

  /** The file of an object, or nothing. @throws StorageError when there is something that is not a file. */
  async #find(name: ObjectName): Promise<{ readonly size: number; readonly mtimeMs: number } | undefined> {
    if (await this.#folders.exists(parentOf(name))) {
      try {
        const found = await this.#files.lstat(this.#folders.path(name));
        if (found.isFile()) return found;
        throw notAFile(name);
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw error;
      }
    }
    await this.#folders.checkRoot();
    return undefined;
  }

  async #reading<T>(name: ObjectName, options: CallOptions, read: (file: OpenFile) => Promise<T>): Promise<T> {
    checkObjectName(name);
    return this.#doing(`reading ${name}`, options, async () => {
      const file = await this.#open(name);
      try {
        return await read(file);
      } finally {
        await file.close();
      }
    });
  }

  async #open(name: ObjectName): Promise<OpenFile> {
    if (await this.#folders.exists(parentOf(name))) {
      try {
        return await this.#openFile(name);
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw error;
      }
    }
    await this.#folders.checkRoot();
    throw notFound(name);
  }

  async #openFile(name: ObjectName): Promise<OpenFile> {
    // Not blocking: a pipe in the place of an object must not hold the caller for ever.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await this.#files.open(this.#folders.path(name), flags);
    try {
      if ((await file.stat()).isFile()) return file;
      throw notAFile(name);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  #walking(options: ListOptions): Parameters<typeof walk>[1] {
    return { ...options, files: this.#files, root: this.#folders.path('') };
  }

  async #doing<T>(what: string, options: CallOptions, work: () => Promise<T>): Promise<T> {
    checkSignal(options.signal);
    try {
      return await work();
    } catch (error) {
      throw fileError(what, error);
    }
  }
}

async function readExactly(
  file: OpenFile,
  name: ObjectName,
  offset: number,
  length: number,
  options: CallOptions,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  for (let at = 0; at < length;) {
    checkSignal(options.signal);
    const { bytesRead } = await file.read(bytes, at, Math.min(pieceBytes, length - at), offset + at);
    if (bytesRead === 0) {
      throw new StorageError('storage.corrupt', `reading ${name}: it ends ${String(length - at)} bytes too early`);
    }
    await paceAll(options.pace, bytesRead);
    at += bytesRead;
  }
  return bytes;
}

function notAFile(name: ObjectName): StorageError {
  return new StorageError('storage.refused', `${name} is not a plain file`, {
    hint: 'Symbolic links and other special files below a repository are not followed.',
  });
}
