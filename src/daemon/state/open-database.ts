/** Opens `state.db` on the thread of the database: the settings that make it durable, and what a crash left. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { NesteggError } from '../../core/errors.ts';
import type { SqlDatabase } from '../../tasks/queue/sql.ts';
import type { SqliteDriver } from './driver.ts';
import { checkIntegrity, migrate, type Migrations } from './migrations.ts';
import { syncPath } from './sync-path.ts';

export interface OpenedDatabase {
  readonly database: SqlDatabase;
  /** The database was not closed in order the last time, and was found to be whole. */
  readonly recovered: boolean;
}

/**
 * The caller holds the lock of the state directory. Exclusive locking needs no shared memory, which the WebAssembly build
 * has not; it is set first, because opening a write-ahead log would ask for it.
 * @throws NesteggError `state.corrupt`, `state.full`, `state.failed`
 */
export function openDatabase(path: string, driver: SqliteDriver, steps?: Migrations): OpenedDatabase {
  // An orderly close removes the log, so a log with content is what a crash left.
  const recovered = sizeOf(`${path}-wal`) > 0 || sizeOf(`${path}-journal`) > 0;
  const database = driver.open(path);
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE');
    setting(database, 'journal_mode = WAL', 'journal_mode', 'wal');
    setting(database, 'synchronous = FULL', 'synchronous', 2);
    setting(database, 'foreign_keys = ON', 'foreign_keys', 1);
    if (recovered) checkIntegrity(path, database);
    migrate(path, database, steps);
    // The first write makes the log, whose name in the folder no driver is known to sync.
    database.exec('BEGIN IMMEDIATE; PRAGMA application_id = 0x4e657374; COMMIT');
    syncPath(dirname(path));
    return { database, recovered };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** A durability setting that did not take effect must not be discovered after a power cut. */
function setting(database: SqlDatabase, pragma: string, name: string, expected: string | number): void {
  database.exec(`PRAGMA ${pragma}`);
  const statement = database.prepare(`PRAGMA ${name}`);
  try {
    const value = statement.get()?.[name];
    if (value !== expected) {
      throw new NesteggError('state.failed', `SQLite refused the setting ${name}: it stayed ${String(value)}`);
    }
  } finally {
    statement.close();
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
