/**
 * # State: the database of the daemon
 *
 * Words: the *state directory* holds `state.db` and what belongs to it; a *driver* is a library that speaks SQLite. One
 * thread owns the one connection; the rest of the daemon talks to it through `StateDatabase`.
 *
 * Invariants:
 * 1. One daemon per state directory: the lock on `state.lock` is held from before the database is opened until after
 *    it is closed.
 * 2. What was answered is on the disk: one fsync per group of calls (`group-commit.ts`), write-ahead log, synchronous=FULL.
 * 3. Nothing in it is needed to restore: a damaged or newer database is refused with that advice, never repaired.
 */
import type { SqlDatabase } from '../../tasks/queue/sql.ts';

export type SqliteDriverName = 'node:sqlite' | 'node-sqlite3-wasm';

export interface SqliteDriver {
  readonly name: SqliteDriverName;
  /**
   * Opens or creates the file. The caller holds the only lock that counts: leftovers of a crashed process that would
   * keep the driver from opening it are removed.
   */
  open(path: string): SqlDatabase;
}
