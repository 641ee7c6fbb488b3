/** The little of SQL that the queue and the state directory need: synchronous, one connection, one thread. */

export type SqlValue = string | number | null;
export type SqlRow = Readonly<Record<string, unknown>>;

/** A prepared statement. Values bind to `?` in order. Must be closed before its database. */
export interface SqlStatement {
  /** Answers how many rows were changed. */
  run(...values: readonly SqlValue[]): number;
  get(...values: readonly SqlValue[]): SqlRow | undefined;
  all(...values: readonly SqlValue[]): readonly SqlRow[];
  close(): void;
}

/** Every method throws NesteggError `state.full`, `state.failed` or `state.corrupt`. */
export interface SqlDatabase {
  /** For people: `node:sqlite`, `node-sqlite3-wasm`. */
  readonly driver: string;
  /** One or more statements without values. */
  exec(sql: string): void;
  prepare(sql: string): SqlStatement;
  close(): void;
}

/** Prepares each statement once; the statements live as long as the database. */
export class StatementCache {
  readonly #database: SqlDatabase;
  readonly #statements = new Map<string, SqlStatement>();

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  of(sql: string): SqlStatement {
    let statement = this.#statements.get(sql);
    if (!statement) this.#statements.set(sql, (statement = this.#database.prepare(sql)));
    return statement;
  }

  close(): void {
    for (const statement of this.#statements.values()) statement.close();
    this.#statements.clear();
  }
}
