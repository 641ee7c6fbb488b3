// Commits 1, 2, 3, ... and reports each number only after its commit, until it is killed.
import { writeSync } from 'node:fs';
import { register } from 'tsx/esm/api';

register();
const [, , path, name] = process.argv;
const { openDatabase } = await import('../../src/daemon/state/open-database.ts');
const { commitTogether } = await import('../../src/daemon/state/group-commit.ts');
const { wasmDriver } = await import('../../src/daemon/state/driver-wasm.ts');
const { nodeDriver } = await import('../../src/daemon/state/driver-node.ts');
const driver = name === wasmDriver.name ? wasmDriver : nodeDriver();
const { database } = openDatabase(path, driver, ['CREATE TABLE n (n INTEGER PRIMARY KEY) STRICT;']);
const insert = database.prepare('INSERT INTO n VALUES (?)');
for (let n = 1; ; n += 1) {
  const [outcome] = commitTogether(database, [() => insert.run(n)]);
  if (!outcome.ok) throw outcome.error;
  writeSync(1, `${n}\n`);
}
