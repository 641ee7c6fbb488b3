/** A process that is killed: backs up or restores as its order says, and tells on its standard output what it finished. */
import { readFileSync, writeSync } from 'node:fs';
import { createOsLocks } from '../../src/core/os-lock-helper.ts';
import { backUp, openAt, restoreAll, type EngineOrder } from './engine.ts';

const order = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as EngineOrder;
const locks = createOsLocks();
const repository = await openAt(order.place, locks);

/** At once, so that whatever was told was told before the kill. */
function tell(snapshots: readonly string[]): void {
  writeSync(1, `${JSON.stringify(snapshots)}\n`);
}

if (order.work === 'backup') {
  const report = await backUp(order.datastore, repository, tell);
  if (report.state !== 'done') throw new Error(`the backup ended as ${report.state}: ${JSON.stringify(report)}`);
} else {
  const report = await restoreAll(repository, order.datastore);
  if (report.state !== 'done') throw new Error(`the restore ended as ${report.state}: ${JSON.stringify(report)}`);
}
await repository.close();
await locks.close();
process.exit(0);
