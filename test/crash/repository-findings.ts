/** What is looked at after a backup was killed: the repository as it is, the next run, the one after it, and a restore. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import type { OsLocks } from '../../src/core/os-lock.ts';
import { systemRandom } from '../../src/core/random.ts';
import { checkRepository } from '../../src/engine/maintenance/check.ts';
import { createDatastore } from '../../src/engine/pbs/datastore-writer/create-datastore.ts';
import type { OpenRepository } from '../../src/engine/repository/open-repository.ts';
import { compareTrees } from '../support/datastore/trees.ts';
import { backUp, openAt, restoreAll, type RepositoryPlace } from './engine.ts';
import type { Depth, Findings } from './lab.ts';

export interface AfterKill {
  readonly place: RepositoryPlace;
  readonly datastore: string;
  /** `group@item` of everything the datastore has, sorted. */
  readonly items: readonly string[];
  /** Ids of the snapshots that were committed before, or told as committed by the killed process. */
  readonly promised: readonly string[];
  /** An empty folder for what is restored. */
  readonly scratch: string;
  readonly depth: Depth;
}

export function itemsOf(repository: OpenRepository): string[] {
  return repository
    .snapshots()
    .map(({ group, item }) => `${group}@${item}`)
    .sort();
}

export async function findInRepository(after: AfterKill, findings: Findings, locks: OsLocks): Promise<void> {
  const repository = await openAt(after.place, locks);
  try {
    await lookAt(repository, after, findings, 'after the kill');
    const shown = new Set<string>(repository.snapshots().map(({ id }) => id));
    const missing = after.promised.filter((id) => !shown.has(id));
    findings.expectSame('snapshots that were committed and are gone', missing, []);

    const next = await backUp(after.datastore, repository);
    findings.expectSame('the next run', [next.state, next.warnings, next.problem], ['done', [], undefined]);
    findings.expectSame('what is stored after the next run', itemsOf(repository), after.items);
    const again = await backUp(after.datastore, repository);
    const totals = again.repositories.map(({ storedPacks, newBlobs, snapshots }) => [
      storedPacks,
      newBlobs,
      snapshots.length,
    ]);
    findings.expectSame('what a second run stores', [again.state, totals], ['done', [[0, 0, 0]]]);
  } finally {
    await repository.close();
  }
  await findComplete(after, findings, locks);
}

/** Everything is there and well, for a process that reads all of it anew. */
export async function findComplete(after: AfterKill, findings: Findings, locks: OsLocks): Promise<void> {
  const repository = await openAt(after.place, locks);
  try {
    await lookAt(repository, after, findings, 'after the next run');
    findings.expectSame('what is stored in the end', itemsOf(repository), after.items);
    if (!after.depth.restore) return;
    const target = join(after.scratch, 'restored');
    await mkdir(target);
    await createDatastore(target, { chunkFolders: 'none' });
    const report = await restoreAll(repository, target);
    findings.expectSame('the restore', [report.state, report.problem], ['done', undefined]);
    findings.expectSame('restored and original', await compareTrees(after.datastore, target), []);
  } finally {
    await repository.close();
  }
}

async function lookAt(repository: OpenRepository, after: AfterKill, findings: Findings, when: string): Promise<void> {
  findings.expectSame(`warnings on opening ${when}`, repository.warnings, []);
  const report = await checkRepository(repository, {
    mode: after.depth.data ? { type: 'data', share: 1 } : { type: 'structure' },
    markDamaged: false,
    clock: systemClock,
    random: systemRandom,
  });
  findings.repairs += report.problems.length;
  findings.expectSame(`problems that check finds ${when}`, report.problems, []);
  findings.expectSame(`incomplete snapshots ${when}`, report.incomplete, []);
  findings.expectSame(`warnings after the check ${when}`, repository.warnings, []);
}
