import { constants, type Dir } from 'node:fs';
import { join } from 'node:path';
import { StorageError, systemCode } from '../../../core/errors.ts';
import type { FileCalls } from './file-calls.ts';
import { fileError, syncError } from './file-errors.ts';
import { temporaryName } from './temporary.ts';

export interface FoldersOptions {
  readonly files: FileCalls;
  readonly root: string;
  /** A network mount: some of them cannot fsync a folder, and answer EINVAL. */
  readonly network: boolean;
  /** Temporary files last written before this moment (milliseconds since the epoch) are leftovers. */
  readonly staleBeforeMs: () => number;
}

/**
 * The folders below the root of one store. Each is looked at once a process: made if it is missing, refused if it is a
 * link, made durable in its parent, and freed of what a crash left in it. Folders are named relative to the root, the
 * root itself is ''.
 *
 * A folder whose fsync failed takes nothing more: the kernel forgets what it could not write, so a second fsync would
 * report a success that nobody can vouch for.
 */
export class Folders {
  readonly #files: FileCalls;
  readonly #root: string;
  readonly #options: FoldersOptions;
  readonly #ready = new Map<string, Promise<void>>();
  readonly #seen = new Set<string>();
  readonly #failed = new Map<string, StorageError>();
  #device: bigint | undefined;

  constructor(options: FoldersOptions) {
    this.#files = options.files;
    this.#root = options.root;
    this.#options = options;
  }

  path(name: string): string {
    return join(this.#root, name);
  }

  /**
   * @throws StorageError `storage.unavailable` when the root is gone or lies on another filesystem than at first: an
   * unmounted disk leaves an empty folder, which is neither an empty repository nor a place to write to.
   */
  async checkRoot(): Promise<void> {
    const found = await this.#files.stat(this.#root).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw fileError(`looking at ${this.#root}`, error);
    });
    if (found?.isDirectory() === true && (this.#device ??= found.dev) === found.dev) return;
    throw new StorageError('storage.unavailable', `the folder ${this.#root} is no longer there`, {
      retry: 'later',
      hint: 'Check that the disk or share is connected and mounted.',
    });
  }

  /** Whether the folder exists. @throws StorageError when a part of its path is a link or a file. */
  async exists(folder: string): Promise<boolean> {
    for (const part of lineage(folder)) {
      if (part === '' || this.#seen.has(part)) continue;
      if (!(await this.#look(part))) return false;
      this.#seen.add(part);
    }
    return true;
  }

  /** Makes the folder ready to take objects. @throws StorageError. */
  async prepare(folder: string): Promise<void> {
    for (const part of lineage(folder)) {
      const failed = this.#failed.get(part);
      if (failed) throw failed;
      let ready = this.#ready.get(part);
      if (!ready) {
        ready = this.#prepare(part);
        this.#ready.set(part, ready);
        ready.catch(() => this.#ready.delete(part));
      }
      await ready;
    }
  }

  /** Forgets all that was seen, because a folder that was ready vanished. */
  forget(): void {
    this.#ready.clear();
    this.#seen.clear();
  }

  /** Removes the folder and those above it as far as they are empty. One that stays harms nobody. */
  async prune(folder: string): Promise<void> {
    for (let each = folder; each !== ''; each = parentOf(each)) {
      try {
        await this.#files.rmdir(this.path(each));
      } catch {
        return;
      }
      this.#ready.delete(each);
      this.#seen.delete(each);
    }
  }

  /** fsync of a folder: what was linked or made in it survives a power failure. @throws StorageError `storage.failed`. */
  async sync(folder: string): Promise<void> {
    const failed = this.#failed.get(folder);
    if (failed) throw failed;
    const handle = await this.#files.open(this.path(folder), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } catch (error) {
      if (this.#options.network && ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'].includes(systemCode(error) ?? '')) return;
      const failure = syncError(`making the folder ${this.path(folder)} durable`, error);
      this.#failed.set(folder, failure);
      throw failure;
    } finally {
      await handle.close();
    }
  }

  async #prepare(folder: string): Promise<void> {
    if (folder !== '') {
      if (!(await this.#look(folder))) await this.#make(folder);
      // Also for one that was there: who made it may have crashed before this.
      await this.sync(parentOf(folder));
    }
    this.#seen.add(folder);
    await this.#clean(folder);
  }

  async #make(folder: string): Promise<void> {
    try {
      await this.#files.mkdir(this.path(folder), 0o700);
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
      await this.#look(folder);
    }
  }

  async #look(folder: string): Promise<boolean> {
    try {
      const found = await this.#files.lstat(this.path(folder));
      if (found.isDirectory()) return true;
      throw new StorageError('storage.refused', `${this.path(folder)} is not a folder`, {
        hint: 'Symbolic links and other special files below a repository are not followed.',
      });
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return false;
      throw error;
    }
  }

  async #clean(folder: string): Promise<void> {
    const before = this.#options.staleBeforeMs();
    for await (const entry of await this.#openFolder(folder)) {
      if (!temporaryName.test(entry.name)) continue;
      const path = this.path(join(folder, entry.name));
      try {
        if ((await this.#files.lstat(path)).mtimeMs < before) await this.#files.unlink(path);
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw error;
      }
    }
  }

  #openFolder(folder: string): Promise<Dir> {
    return this.#files.opendir(this.path(folder));
  }
}

export function parentOf(name: string): string {
  const slash = name.lastIndexOf('/');
  return slash < 0 ? '' : name.slice(0, slash);
}

/** `a/b/c`: '', 'a', 'a/b', 'a/b/c'. */
function lineage(folder: string): string[] {
  if (folder === '') return [''];
  return [...lineage(parentOf(folder)), folder];
}
