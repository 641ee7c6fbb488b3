/** What triggers remember, in SQLite. Runs on the thread of the database, inside a transaction of the caller. */
import { type SqlDatabase, StatementCache } from '../../tasks/queue/sql.ts';
import { number, text } from '../../tasks/queue/sqlite-rows.ts';
import type { Synchronous } from '../../tasks/queue/store.ts';
import type { TriggerMemory, TriggerStore } from '../../triggers/trigger.ts';

/** Version 1. Times are milliseconds since the epoch; `notes` are JSON of the trigger. */
export const triggerTables = `
CREATE TABLE triggers (
  id            TEXT    PRIMARY KEY,
  first_seen_ms INTEGER NOT NULL,
  last_due_ms   INTEGER NOT NULL,
  notes         TEXT
) STRICT, WITHOUT ROWID;
`;

export class SqliteTriggerStore implements Synchronous<TriggerStore> {
  readonly #statements: StatementCache;

  constructor(database: SqlDatabase) {
    this.#statements = new StatementCache(database);
  }

  /** Releases the statements; the database stays open. */
  close(): void {
    this.#statements.close();
  }

  load(id: string): TriggerMemory | undefined {
    const row = this.#statements.of('SELECT first_seen_ms, last_due_ms, notes FROM triggers WHERE id = ?').get(id);
    if (!row) return undefined;
    const memory = { firstSeenMs: number(row, 'first_seen_ms'), lastDueMs: number(row, 'last_due_ms') };
    return row['notes'] === null ? memory : { ...memory, notes: text(row, 'notes') };
  }

  save(id: string, memory: TriggerMemory): void {
    this.#statements
      .of('INSERT OR REPLACE INTO triggers (id, first_seen_ms, last_due_ms, notes) VALUES (?, ?, ?, ?)')
      .run(id, memory.firstSeenMs, memory.lastDueMs, memory.notes ?? null);
  }
}
