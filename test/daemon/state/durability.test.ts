import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { afterEach, describe, expect, it } from 'vitest';
import { type NesteggError } from '../../../src/core/errors.ts';
import { chooseDriver } from '../../../src/daemon/state/choose-driver.ts';
import { nodeDriver } from '../../../src/daemon/state/driver-node.ts';
import { wasmDriver } from '../../../src/daemon/state/driver-wasm.ts';
import { commitTogether } from '../../../src/daemon/state/group-commit.ts';
import { migrations } from '../../../src/daemon/state/migrations.ts';
import { openDatabase } from '../../../src/daemon/state/open-database.ts';
import type { SqlDatabase } from '../../../src/tasks/queue/sql.ts';
import { SqliteQueueStore } from '../../../src/tasks/queue/sqlite-store.ts';
import type { QueueStore } from '../../../src/tasks/queue/store.ts';
import { id, newTask, queueStoreContract } from '../../contracts/queue-store-contract.ts';
import { temporaryFolder } from '../../support/state.ts';

const drivers = [wasmDriver, nodeDriver()].filter((driver) => driver !== undefined);
const one = (database: SqlDatabase, sql: string): unknown => {
  const statement = database.prepare(sql);
  try {
    return Object.values(statement.get() ?? {})[0];
  } finally {
    statement.close();
  }
};

/** A store on the thread of the test, each call a transaction of its own. */
function committing(database: SqlDatabase, store: SqliteQueueStore): QueueStore {
  return new Proxy(store, {
    get:
      (target, method) =>
      async (...values: unknown[]) => {
        const call = Reflect.get(target, method, target) as (...all: unknown[]) => unknown;
        const [outcome] = commitTogether(database, [() => Reflect.apply(call, target, values)]);
        if (outcome?.ok) return outcome.value;
        throw outcome?.error;
      },
  }) as unknown as QueueStore;
}

for (const driver of drivers) {
  describe(`the database by ${driver.name}`, () => {
    queueStoreContract(async () => {
      const folder = await temporaryFolder();
      const { database } = openDatabase(`${folder.path}/state.db`, driver);
      const store = new SqliteQueueStore(database);
      return {
        store: committing(database, store),
        close: async () => {
          store.close();
          database.close();
          await folder.remove();
        },
      };
    });

    it('is opened with the settings that make a commit durable, and strict tables', async () => {
      const folder = await temporaryFolder();
      const { database, recovered } = openDatabase(`${folder.path}/state.db`, driver);
      expect(recovered).toBe(false);
      expect(one(database, 'PRAGMA journal_mode')).toBe('wal');
      expect(one(database, 'PRAGMA synchronous')).toBe(2);
      expect(one(database, 'PRAGMA locking_mode')).toBe('exclusive');
      expect(one(database, 'PRAGMA user_version')).toBe(migrations.length);
      expect(one(database, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%STRICT%'")).toBe(
        0,
      );
      database.close();
      await folder.remove();
    });

    it('keeps a copy before it changes an older database, and refuses a newer one', async () => {
      const folder = await temporaryFolder();
      const path = `${folder.path}/state.db`;
      const first = openDatabase(path, driver, ['CREATE TABLE a (x TEXT) STRICT;']);
      first.database.exec("INSERT INTO a VALUES ('kept')");
      first.database.close();
      const steps = ['CREATE TABLE a (x TEXT) STRICT;', 'CREATE TABLE b (y TEXT) STRICT; DROP TABLE a;'];
      expect(() => openDatabase(path, driver, [...steps, 'NONSENSE'])).toThrow(/syntax error/);
      const second = openDatabase(path, driver, steps);
      expect(one(second.database, "SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table'")).toBe('b');
      second.database.close();
      const copy = openDatabase(`${path}.v1`, driver, ['CREATE TABLE a (x TEXT) STRICT;']);
      expect(one(copy.database, 'SELECT x FROM a')).toBe('kept');
      copy.database.close();
      expect(() => openDatabase(path, driver, ['CREATE TABLE a (x TEXT) STRICT;'])).toThrow(
        expect.objectContaining({ code: 'state.corrupt', message: expect.stringContaining('newer Nestegg') }),
      );
      await folder.remove();
    });

    it('undoes a call that fails within a group, and all of them when there is no space', async () => {
      const folder = await temporaryFolder();
      const { database } = openDatabase(`${folder.path}/state.db`, driver);
      const store = new SqliteQueueStore(database);
      const mixed = commitTogether<unknown>(database, [
        () => store.enqueue(newTask(1)),
        () => {
          store.enqueue(newTask(2));
          return store.abort(id(2));
        },
        () => store.enqueue(newTask(3)),
      ]);
      expect(mixed.map(({ ok }) => ok)).toEqual([true, false, true]);
      expect(store.live().waiting.map(({ task }) => task.id)).toEqual([id(1), id(3)]);
      database.exec(`PRAGMA max_page_count = ${Number(one(database, 'PRAGMA page_count')) + 2}`);
      const big = { x: 'x'.repeat(100_000) };
      const full = commitTogether<unknown>(database, [
        () => store.enqueue(newTask(4)),
        () => store.enqueue(newTask(5, 'b5', { options: big })),
      ]);
      const code = full.map((outcome) => (outcome.ok ? 'ok' : (outcome.error as NesteggError).code));
      expect(code.at(-1)).toBe('state.full');
      database.exec('PRAGMA max_page_count = 100000');
      const after = commitTogether(database, [() => store.enqueue(newTask(6, 'b6', { options: big }))]);
      expect(after[0]?.ok).toBe(true);
      const waiting = store.live().waiting.map(({ task }) => task.id);
      expect(waiting).toEqual([id(1), id(3), ...(code[0] === 'ok' ? [id(4)] : []), id(6)]);
      store.close();
      database.close();
      await folder.remove();
    });

    it('has every commit it reported after SIGKILL, and finds the database whole', async () => {
      const folder = await temporaryFolder();
      const path = `${folder.path}/state.db`;
      for (let round = 0; round < 3; round += 1) {
        const child = fork(new URL('../../support/commit-forever.mjs', import.meta.url), [path, driver.name], {
          stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
        });
        let reported = '';
        child.stdout?.on('data', (data: Buffer) => {
          reported += data.toString();
          if (reported.split('\n').length > 30 + 15 * round) child.kill('SIGKILL');
        });
        await once(child, 'close');
        const last = Number(reported.trimEnd().split('\n').at(-1));
        const { database, recovered } = openDatabase(path, driver, ['CREATE TABLE n (n INTEGER PRIMARY KEY) STRICT;']);
        expect(recovered).toBe(true);
        expect(last).toBeGreaterThan(20);
        expect(one(database, 'SELECT max(n) FROM n')).toBeGreaterThanOrEqual(last);
        expect(one(database, 'SELECT max(n) - count(*) FROM n')).toBe(0);
        // The child is the daemon that did not come to close it.
        database.exec('DELETE FROM n');
        database.close();
      }
      await folder.remove();
    });

    it('refuses a database that a crash or a disk damaged', async () => {
      const folder = await temporaryFolder();
      const path = `${folder.path}/state.db`;
      const { database } = openDatabase(path, driver);
      const store = new SqliteQueueStore(database);
      commitTogether(
        database,
        Array.from({ length: 300 }, (_, n) => () => store.enqueue(newTask(n))),
      );
      store.close();
      database.close();
      const bytes = fs.readFileSync(path);
      bytes.fill(0xff, 4096 * 6, 4096 * 9);
      fs.writeFileSync(path, bytes);
      fs.writeFileSync(`${path}-wal`, 'left by a crash');
      expect(() => openDatabase(path, driver)).toThrow(
        expect.objectContaining({
          code: 'state.corrupt',
          hint: expect.stringContaining('nothing in it is needed to restore'),
        }),
      );
      await folder.remove();
    });
  });
}

describe('the WebAssembly driver', () => {
  const cjs = createRequire(import.meta.url)('node:fs') as typeof fs;
  const { fsyncSync, writeSync, statfsSync } = cjs;
  afterEach(() => {
    Object.assign(cjs, { fsyncSync, writeSync, statfsSync });
    syncBuiltinESMExports();
  });

  it('syncs once for each commit, however many calls share it, and the folder at the start', async () => {
    const folder = await temporaryFolder();
    const synced: string[] = [];
    cjs.fsyncSync = (descriptor) => {
      synced.push(fs.readlinkSync(`/proc/self/fd/${descriptor}`).slice(folder.path.length));
      fsyncSync(descriptor);
    };
    syncBuiltinESMExports();
    const { database } = openDatabase(`${folder.path}/state.db`, wasmDriver);
    expect(synced.at(-1)).toBe('');
    const store = new SqliteQueueStore(database);
    synced.length = 0;
    commitTogether(database, [() => store.enqueue(newTask(1))]);
    expect(synced).toEqual(['/state.db-wal']);
    commitTogether(
      database,
      [2, 3, 4].map((n) => () => store.enqueue(newTask(n))),
    );
    expect(synced).toEqual(['/state.db-wal', '/state.db-wal']);
    commitTogether(database, [() => store.live()]);
    expect(synced).toHaveLength(2);
    store.close();
    database.close();
    await folder.remove();
  });

  const failures: readonly (readonly [what: string, free: number, code: string])[] = [
    ['no space', 0, 'state.full'],
    ['a broken disk', 1_000_000, 'state.failed'],
  ];
  for (const [what, free, code] of failures) {
    it(`reports ${what} as an error, and goes on when it is over`, async () => {
      const folder = await temporaryFolder();
      const { database } = openDatabase(`${folder.path}/state.db`, wasmDriver);
      const store = new SqliteQueueStore(database);
      cjs.statfsSync = ((path: string) =>
        Object.assign(statfsSync(path), { bavail: free, bsize: 4096 })) as typeof statfsSync;
      cjs.writeSync = () => {
        throw Object.assign(new Error('write failed'), { code: 'ENOSPC' });
      };
      syncBuiltinESMExports();
      const [failed] = commitTogether(database, [() => store.enqueue(newTask(1))]);
      expect(failed).toMatchObject({ ok: false, error: { code, retry: 'later' } });
      cjs.writeSync = writeSync;
      expect(store.live().waiting).toEqual([]);
      expect(commitTogether(database, [() => store.enqueue(newTask(1))])[0]?.ok).toBe(true);
      store.close();
      database.close();
      await folder.remove();
    });
  }

  it('is what this Node gets unless it has its own', async () => {
    expect((await chooseDriver()).name).toBe(nodeDriver() ? 'node:sqlite' : 'node-sqlite3-wasm');
  });
});
