/**
 * The locks by which PBS tasks keep out of each other's way, taken from outside.
 *
 * Since 3.3.5 they are flock(2) on files below `/run/proxmox-backup/locks/<datastore>/`; before, and on a host that was
 * upgraded but not rebooted (marker `old-locking`), on the folders themselves. Where the marker is missing, the version
 * cannot be told from the files, so the folder is locked too: newer versions do not look at it, older ones at nothing
 * else. PBS removes lock files with what they lock, so a lock counts only if its path still leads to the same inode.
 */
import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf, systemCode } from '../../core/errors.ts';
import type { OsLock, OsLocks } from '../../core/os-lock.ts';
import {
  formatTime,
  groupFolder,
  isSafeId,
  lockFile,
  snapshotFolder,
  type GroupName,
  type SnapshotName,
} from './layout.ts';

export type LockMode = 'shared' | 'exclusive';

export interface HeldLock {
  /** Aborted when the lock was lost before it was released: what it protected can no longer be relied on. */
  readonly lost: AbortSignal;
  /** Idempotent. */
  release(): Promise<void>;
}

export type LockAttempt =
  | { readonly outcome: 'held'; readonly lock: HeldLock }
  /** Somebody else holds it, or just removed what it protects: try again later. */
  | { readonly outcome: 'busy' }
  /** There is no PBS on this host to agree with: the caller follows the lockless rules. */
  | { readonly outcome: 'unavailable'; readonly reason: string };

export interface DatastoreLocksOptions {
  readonly os: OsLocks;
  readonly datastore: { readonly path: string; readonly name: string | undefined };
  /** Default `/run/proxmox-backup`. */
  readonly runDirectory?: string | undefined;
}

const attempts = 5;
const denied: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS']);

export class DatastoreLocks {
  readonly #os: OsLocks;
  readonly #path: string;
  readonly #name: string | undefined;
  readonly #run: string;

  constructor(options: DatastoreLocksOptions) {
    this.#os = options.os;
    this.#path = options.datastore.path;
    this.#name = options.datastore.name;
    this.#run = options.runDirectory ?? '/run/proxmox-backup';
  }

  /** Shared: nobody prunes, forgets or rewrites the snapshot meanwhile. @throws NesteggError when locks fail on this machine. */
  async lockSnapshot(snapshot: SnapshotName, mode: LockMode): Promise<LockAttempt> {
    const object = `${snapshot.type}/${snapshot.id}/${formatTime(snapshot.timeSeconds)}`;
    return this.#lock(snapshot.namespace, object, join(this.#path, snapshotFolder(snapshot)), mode);
  }

  /** Exclusive: no backup, sync or group removal meanwhile. @throws NesteggError when locks fail on this machine. */
  async lockGroup(group: GroupName, mode: LockMode): Promise<LockAttempt> {
    return this.#lock(group.namespace, `${group.type}/${group.id}`, join(this.#path, groupFolder(group)), mode);
  }

  /**
   * What every writer of chunks holds until its indexes are in place: garbage collection cannot start meanwhile, and
   * while it runs the answer is `busy`. @throws NesteggError when locks fail on this machine.
   */
  async lockForWriting(): Promise<LockAttempt> {
    const path = join(this.#path, lockFile);
    if (!(await exists(path))) return { outcome: 'unavailable', reason: `there is no ${path}` };
    const lock = await this.#os.acquire(path, 'shared', 'fcntl');
    return lock ? { outcome: 'held', lock: held([lock]) } : { outcome: 'busy' };
  }

  async #lock(namespace: string, object: string, folder: string, mode: LockMode): Promise<LockAttempt> {
    if (!(await exists(this.#run))) return { outcome: 'unavailable', reason: `there is no ${this.#run}` };
    if (this.#name === undefined || !isSafeId(this.#name)) {
      return { outcome: 'unavailable', reason: 'the name of the datastore in PBS is not known' };
    }
    const locks: OsLock[] = [];
    const paths = [folder];
    if (!(await exists(join(this.#run, 'old-locking')))) {
      paths.unshift(join(this.#run, 'locks', this.#name, lockFileName(namespace, object)));
    }
    try {
      for (const path of paths) {
        const lock = await this.#acquire(path, mode, path !== folder);
        if (lock) {
          locks.push(lock);
          continue;
        }
        await held(locks).release();
        return { outcome: 'busy' };
      }
    } catch (error) {
      await held(locks).release();
      if (!denied.has(systemCode(error) ?? '')) throw error;
      return { outcome: 'unavailable', reason: `the lock files of PBS cannot be opened: ${messageOf(error)}` };
    }
    return { outcome: 'held', lock: held(locks) };
  }

  /** Locks and looks whether the path still leads to what was locked. */
  async #acquire(path: string, mode: LockMode, create: boolean): Promise<OsLock | undefined> {
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (create) await createLockFile(this.#run, path);
      else if (!(await exists(path))) return undefined;
      const lock = await this.#os.acquire(path, mode).catch(async (error: unknown) => {
        if (await exists(path)) throw error;
        return 'gone' as const;
      });
      if (lock === undefined) return undefined;
      if (lock === 'gone') continue;
      if (await leadsTo(path, lock)) return lock;
      await lock.release();
    }
    return undefined;
  }
}

/** Path of a lock file below the folder of its datastore; `object` is the path of what is locked, without namespace. */
export function lockFileName(namespace: string, object: string): string {
  const folder = namespace.split('/').join(':');
  const escaped = escapePath(object);
  if (escaped.length < 255) return join(folder, escaped);
  const hash = createHash('sha256').update(object).digest('hex');
  return join(folder, 'hashed', `${escaped.slice(0, 80)}...${escaped.slice(-80)}-${hash}`);
}

/** Path escaping of systemd: `/` becomes `-`; everything but letters, digits, `_` and inner `.` becomes `\xHH`. */
function escapePath(path: string): string {
  let escaped = '';
  for (const [at, byte] of Buffer.from(path).entries()) {
    const letter = String.fromCharCode(byte);
    if (letter === '/') escaped += '-';
    else if (/[A-Za-z0-9_]/.test(letter) || (letter === '.' && at > 0)) escaped += letter;
    else escaped += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return escaped;
}

/** As PBS would: folders down from the run directory, then the file, all owned by backup so that PBS can open them. */
async function createLockFile(run: string, path: string): Promise<void> {
  const root = process.getuid?.() === 0;
  const missing: string[] = [];
  for (let folder = dirname(path); folder !== run && !(await exists(folder)); folder = dirname(folder))
    missing.unshift(folder);
  for (const folder of missing) {
    await mkdir(folder).catch(ignoreExisting);
    if (root) await chown(folder, 34, 34);
  }
  const file = await open(path, 'a+', 0o660);
  try {
    const status = await file.stat();
    if (!root || status.uid === 34) return;
    await chmod(path, 0o660);
    await file.chown(34, 34);
  } finally {
    await file.close();
  }
}

function ignoreExisting(error: unknown): void {
  if (systemCode(error) !== 'EEXIST') throw error;
}

async function leadsTo(path: string, lock: OsLock): Promise<boolean> {
  try {
    const status = await stat(path, { bigint: true });
    return status.dev === lock.device && status.ino === lock.inode;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if (systemCode(error) === 'ENOENT') return false;
      throw error;
    },
  );
}

function held(locks: readonly OsLock[]): HeldLock {
  return {
    lost: AbortSignal.any(locks.map((lock) => lock.lost)),
    release: async () => {
      for (const lock of [...locks].reverse()) await lock.release();
    },
  };
}
