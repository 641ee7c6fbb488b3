/**
 * Advisory locks of the operating system, which vanish with their holder. Node has no flock or fcntl, so one small
 * helper process (perl, part of every Debian) holds the files open; it ends, and with it every lock, when this
 * process ends in whatever way, because its standard input closes.
 *
 * `flock` is flock(2); `fcntl` is a POSIX record lock over the whole file (what PBS uses for a datastore's `.lock`).
 * Neither blocks: a lock that somebody else holds is answered with `undefined`.
 */
export interface OsLocks {
  /** @throws NesteggError (`internal`) when locks cannot be taken on this machine at all, or the file cannot be opened. */
  acquire(path: string, mode: 'shared' | 'exclusive', kind?: 'flock' | 'fcntl'): Promise<OsLock | undefined>;
  /** Releases all locks and ends the helper. */
  close(): Promise<void>;
}

export interface OsLock {
  readonly path: string;
  /** Device and inode of the locked file, to compare with `stat(path)`: PBS removes lock files with what they lock. */
  readonly device: bigint;
  readonly inode: bigint;
  release(): Promise<void>;
}
