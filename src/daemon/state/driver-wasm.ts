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
    return sqliteErrors(this.#path, () => new WasmStatement(this.#path, () => this.#database.prepare(sql)));
  }

  close(): void {
    sqliteErrors(this.#path, () => {
      this.#database.close();
    });
  }
}

/**
 * After an error the library's own statement only repeats that error, so it is dropped and prepared again. Every query runs to its
 * end: one left in the middle would hold a read transaction open, and the log could never be emptied.
 */
class WasmStatement implements SqlStatement {
  readonly #path: string;
  readonly #prepare: () => Statement;
  #statement: Statement | undefined;

  constructor(path: string, prepare: () => Statement) {
    this.#path = path;
    this.#prepare = prepare;
    this.#statement = prepare();
  }

  run(...values: readonly SqlValue[]): number {
    return this.#use((statement) => statement.run([...values]).changes);
  }

  get(...values: readonly SqlValue[]): SqlRow | undefined {
    return this.all(...values)[0];
  }

  all(...values: readonly SqlValue[]): readonly SqlRow[] {
    return this.#use((statement) => statement.all([...values]));
  }

  close(): void {
    this.#statement?.finalize();
    this.#statement = undefined;
  }

  #use<T>(act: (statement: Statement) => T): T {
    return sqliteErrors(this.#path, () => {
      const statement = (this.#statement ??= this.#prepare());
      try {
        return act(statement);
      } catch (error) {
        this.#drop(statement);
        throw error;
      }
    });
  }

  #drop(statement: Statement): void {
    this.#statement = undefined;
    try {
      statement.finalize();
    } catch {
      // It reports the error of its last run once more.
    }
  }
}

function removeLeftLock(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
