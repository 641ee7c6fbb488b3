/** How an old database becomes a new one. A released migration never changes; a new version adds one. */
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { NesteggError } from '../../core/errors.ts';
import type { SqlDatabase } from '../../tasks/queue/sql.ts';
import { queueTables } from '../../tasks/queue/sqlite-schema.ts';
import { number } from '../../tasks/queue/sqlite-rows.ts';
import { corruptState } from './sqlite-errors.ts';
import { syncPath } from './sync-path.ts';
import { triggerTables } from './trigger-store.ts';

/** SQL that leads from version n to version n + 1, where n is the place in the list. */
export type Migrations = readonly string[];

export const migrations: Migrations = [queueTables + triggerTables];

/**
 * Brings the database to the newest version, all or nothing. A database that holds something is copied first to
 * `<file>.v<version>`, which stays.
 * @throws NesteggError `state.corrupt` when it is from a newer Nestegg; `state.full`.
 */
export function migrate(path: string, database: SqlDatabase, steps: Migrations = migrations): void {
  const version = schemaVersion(database);
  if (version === steps.length) return;
  if (version > steps.length) {
    throw new NesteggError('state.corrupt', `the state database ${path} is from a newer Nestegg (version ${version})`, {
      hint: `This one knows versions up to ${steps.length}. Use the newer Nestegg, or move the file away: nothing in it is needed to restore.`,
      context: { path, version },
    });
  }
  if (version > 0) keepCopy(`${path}.v${version}`, database);
  database.exec('BEGIN IMMEDIATE');
  try {
    for (const sql of steps.slice(version)) database.exec(sql);
    database.exec(`PRAGMA user_version = ${steps.length}`);
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

/** @throws NesteggError `state.corrupt` with what SQLite found. */
export function checkIntegrity(path: string, database: SqlDatabase): void {
  const statement = database.prepare('PRAGMA integrity_check(10)');
  try {
    const found = statement.all().map((row) => String(row['integrity_check']));
    if (found.length !== 1 || found[0] !== 'ok') throw corruptState(path, found.join('; '));
  } finally {
    statement.close();
  }
}

export function schemaVersion(database: SqlDatabase): number {
  const statement = database.prepare('PRAGMA user_version');
  try {
    const row = statement.get();
    return row ? number(row, 'user_version') : 0;
  } finally {
    statement.close();
  }
}

/** A copy from an attempt that was cut off may be partial, so it is made again. */
function keepCopy(copy: string, database: SqlDatabase): void {
  rmSync(copy, { force: true });
  database.exec(`VACUUM INTO '${copy.replaceAll("'", "''")}'`);
  syncPath(copy);
  syncPath(dirname(copy));
}
