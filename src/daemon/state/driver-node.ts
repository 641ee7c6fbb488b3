/** The SQLite inside Node, from version 22.13 on. */
import { createRequire } from 'node:module';
import type { SqlDatabase, SqlRow, SqlStatement, SqlValue } from '../../tasks/queue/sql.ts';
import type { SqliteDriver } from './driver.ts';
import { sqliteErrors } from './sqlite-errors.ts';

/** What is used of `node:sqlite`; the types of Node 20 do not know the module. */
interface NodeStatement {
  run(...values: readonly SqlValue[]): { readonly changes: number | bigint };
  get(...values: readonly SqlValue[]): SqlRow | undefined;
  all(...values: readonly SqlValue[]): readonly SqlRow[];
}

interface NodeConnection {
  exec(sql: string): void;
  prepare(sql: string): NodeStatement;
  close(): void;
}

interface NodeSqlite {
  readonly DatabaseSync: new (path: string) => NodeConnection;
}

/** `undefined` where this Node has no usable `node:sqlite`. */
export function nodeDriver(): SqliteDriver | undefined {
  const sqlite = loadSqlite();
  if (!sqlite) return undefined;
  return { name: 'node:sqlite', open: (path) => sqliteErrors(path, () => new NodeDatabase(path, sqlite)) };
}

function loadSqlite(): NodeSqlite | undefined {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  // Earlier versions have it behind a flag, or not at all.
  if (major < 22 || (major === 22 && minor < 13)) return undefined;
  try {
    return createRequire(import.meta.url)('node:sqlite') as NodeSqlite;
  } catch {
    return undefined; // a Node built without SQLite
  }
}

class NodeDatabase implements SqlDatabase {
  readonly driver = 'node:sqlite';
  readonly #path: string;
  readonly #connection: NodeConnection;

  constructor(path: string, sqlite: NodeSqlite) {
    this.#path = path;
    this.#connection = new sqlite.DatabaseSync(path);
  }

  exec(sql: string): void {
    sqliteErrors(this.#path, () => {
      this.#connection.exec(sql);
    });
  }

  prepare(sql: string): SqlStatement {
    const path = this.#path;
    const statement = sqliteErrors(path, () => this.#connection.prepare(sql));
    return {
      run: (...values) => sqliteErrors(path, () => Number(statement.run(...values).changes)),
      get: (...values) => sqliteErrors(path, () => statement.get(...values)),
      all: (...values) => sqliteErrors(path, () => statement.all(...values)),
      // Node finalizes a statement with its database.
      close: () => undefined,
    };
  }

  close(): void {
    sqliteErrors(this.#path, () => {
      this.#connection.close();
    });
  }
}
