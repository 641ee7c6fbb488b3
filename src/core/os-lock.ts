/**
 * Advisory locks of the operating system, which vanish with their holder. Node has no flock or fcntl, so one small
 * helper process (perl, part of every Debian) holds the files open; it ends, and with it every lock, when this
 * process ends in whatever way, because its standard input closes.
 *
 * `flock` is flock(2); `fcntl` is a record lock over the whole file (what PBS uses for a datastore's `.lock`), of the
 * open file description, so that it also conflicts with another one of this process. Neither blocks: a lock that
 * somebody else holds is answered with `undefined`.
 */
export interface OsLocks {
  /**
   * Locks an existing file or folder, never a symbolic link's own inode. Two locks of one process conflict like those of
   * two. @throws NesteggError (`lock.failed`) when locks cannot be taken on this machine at all, or the file cannot be opened.
   */
  acquire(path: string, mode: 'shared' | 'exclusive', kind?: 'flock' | 'fcntl'): Promise<OsLock | undefined>;
  /** Releases all locks and ends the helper. Nothing may be acquired afterwards. */
  close(): Promise<void>;
}

export interface OsLock {
  readonly path: string;
  /** Device and inode of the locked file, to compare with `stat(path)`: PBS removes lock files with what they lock. */
  readonly device: bigint;
  readonly inode: bigint;
  /** Aborted when the lock ends without `release`, because the helper was killed. */
  readonly lost: AbortSignal;
  /** Resolves when the lock is gone. Idempotent. */
  release(): Promise<void>;
}
