/** Many calls, one transaction, one fsync: what makes `synchronous=FULL` cheap when many tasks arrive at once. */
import type { SqlDatabase } from '../../tasks/queue/sql.ts';

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

/**
 * Does all of `calls` in order and commits them together. A call that throws undoes only itself; when the commit fails,
 * every call failed and nothing happened. Outcomes are in the order of the calls, and true only after this returns.
 */
export function commitTogether<T>(database: SqlDatabase, calls: readonly (() => T)[]): readonly Outcome<T>[] {
  try {
    database.exec('BEGIN IMMEDIATE');
    try {
      const outcomes = calls.map((call) => attempt(database, call));
      database.exec('COMMIT');
      return outcomes;
    } catch (error) {
      undo(database, 'ROLLBACK');
      throw error;
    }
  } catch (error) {
    return calls.map(() => ({ ok: false, error }));
  }
}

function attempt<T>(database: SqlDatabase, call: () => T): Outcome<T> {
  database.exec('SAVEPOINT call');
  try {
    const value = call();
    database.exec('RELEASE call');
    return { ok: true, value };
  } catch (error) {
    if (!undo(database, 'ROLLBACK TO call; RELEASE call')) throw error;
    return { ok: false, error };
  }
}

/** False when no transaction is open any more: on some errors (full disk) SQLite rolls all of it back by itself. */
function undo(database: SqlDatabase, sql: string): boolean {
  try {
    database.exec(sql);
    return true;
  } catch {
    return false;
  }
}
