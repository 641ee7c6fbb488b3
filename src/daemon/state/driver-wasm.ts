/**
 * SQLite compiled to WebAssembly, with files through `node:fs`. It syncs files, but never the folder of a file that it
 * creates, and it takes a folder `<file>.lock` as its lock, which outlives a crash: `open.ts` knows both.
 */
import { rmdirSync } from 'node:fs';
import sqlite, { type Statement } from 'node-sqlite3-wasm';
import { systemCode } from '../../core/errors.ts';
import type { SqlDatabase, SqlRow, SqlStatement, SqlValue } from '../../tasks/queue/sql.ts';
import type { SqliteDriver } from './driver.ts';
import { sqliteErrors } from './sqlite-errors.ts';

export const wasmDriver: SqliteDriver = {
  name: 'node-sqlite3-wasm',
  open(path) {
    removeLeftLock(`${path}.lock`);
    return sqliteErrors(path, () => new WasmDatabase(path));
  },
};

class WasmDatabase implements SqlDatabase {
  readonly driver = wasmDriver.name;
  readonly #path: string;
  readonly #database: InstanceType<typeof sqlite.Database>;

  constructor(path: string) {
    this.#path = path;
    this.#database = new sqlite.Database(path);
  }

  exec(sql: string): void {
    sqliteErrors(this.#path, () => {
      this.#database.exec(sql);
    });
  }

  prepare(sql: string): SqlStatement {
    return sqliteErrors(this.#path, () => new WasmStatement(this.#path, this.#database.prepare(sql)));
  }

  close(): void {
    sqliteErrors(this.#path, () => {
      this.#database.close();
    });
  }
}

class WasmStatement implements SqlStatement {
  readonly #path: string;
  readonly #statement: Statement;

  constructor(path: string, statement: Statement) {
    this.#path = path;
    this.#statement = statement;
  }

  run(...values: readonly SqlValue[]): number {
    return sqliteErrors(this.#path, () => this.#statement.run([...values]).changes);
  }

  get(...values: readonly SqlValue[]): SqlRow | undefined {
    return sqliteErrors(this.#path, () => this.#statement.get([...values]) ?? undefined);
  }

  all(...values: readonly SqlValue[]): readonly SqlRow[] {
    return sqliteErrors(this.#path, () => this.#statement.all([...values]));
  }

  close(): void {
    this.#statement.finalize();
  }
}

function removeLeftLock(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
