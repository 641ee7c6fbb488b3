import { cp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { systemRandom } from '../../src/core/random.ts';
import { checkRepository, type CheckReport } from '../../src/engine/maintenance/check.ts';
import { chunkFiles } from '../support/datastore/damage.ts';
import { addSnapshot, generateDatastore } from '../support/datastore/generator.ts';
import type { VmPlan } from '../support/datastore/plan.ts';
import { folderOf, runBackup, testRepository, type TestRepository } from '../support/pbs-backup.ts';
import { copySnapshot } from '../support/pbs-changes.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

const chunks = 300;
const disk = { name: 'drive-scsi0', sizeBytes: chunks * 65_536 - 100, chunkSize: 65_536, content: 'quick' } as const;
const machine: VmPlan = { type: 'vm', id: '100', snapshots: 1, disks: [{ ...disk, changed: 0.03 }] };
const seed = 'parent';

let template: TemporaryFolder;
let folder: TemporaryFolder;
let datastore: string;
let first: TestRepository;
let second: TestRepository;

beforeAll(async () => {
  template = await temporaryFolder();
  await generateDatastore(join(template.path, 'main'), { seed, machines: [machine] });
});
afterAll(() => template.remove());

beforeEach(async () => {
  folder = await temporaryFolder();
  datastore = join(folder.path, 'main');
  await cp(join(template.path, 'main'), datastore, { recursive: true });
  first = await testRepository(1);
  second = await testRepository(2);
});
afterEach(async () => {
  await first.repository.close();
  await second.repository.close();
  await folder.remove();
});

/** How many chunks a repository is asked for one by one. */
function claims({ repository }: TestRepository): () => number {
  const blobId = vi.spyOn(repository, 'blobId');
  return () => blobId.mock.calls.filter(([kind]) => kind === 'pbs-chunk').length;
}

async function checked({ repository }: TestRepository): Promise<CheckReport> {
  const parts = { clock: systemClock, random: systemRandom, markDamaged: false };
  return checkRepository(repository, { mode: { type: 'data', share: 1 }, ...parts });
}

async function twoSnapshots(): Promise<void> {
  await runBackup({ datastore, repositories: [first.repository, second.repository] });
  await addSnapshot(datastore, seed, machine, 1);
}

describe('a snapshot of an image that a target has already', () => {
  it('asks for the changed chunks alone, and leaves out nothing', async () => {
    await twoSnapshots();
    const counts = [claims(first), claims(second)];
    const report = await runBackup({ datastore, repositories: [first.repository, second.repository] });
    expect(report).toMatchObject({ state: 'done', items: 1, warnings: [] });
    expect(report.chunks).toBeGreaterThan(0);
    expect(report.chunks).toBeLessThan(chunks / 10);
    expect(counts.map((count) => count())).toEqual([report.chunks, report.chunks]);
    for (const target of [first, second]) {
      expect(await checked(target)).toMatchObject({ snapshots: 2, problems: [], incomplete: [] });
    }
  });

  it('asks for every chunk when the source shows other data under the time of the one before', async () => {
    await twoSnapshots();
    const [before, after] = [folderOf(datastore, 'vm/100', 0), folderOf(datastore, 'vm/100', 1)];
    await rm(before, { recursive: true });
    await copySnapshot(after, before);
    const count = claims(first);
    const report = await runBackup({ datastore, repositories: [first.repository] });
    expect(report).toMatchObject({ items: 1 });
    expect(report.chunks).toBeGreaterThan(0);
    expect(count()).toBe(chunks);
    expect(await checked(first)).toMatchObject({ snapshots: 2, problems: [], incomplete: [] });
  });

  it('asks for every chunk when one of the targets lacks the one before', async () => {
    await runBackup({ datastore, repositories: [first.repository] });
    await addSnapshot(datastore, seed, machine, 1);
    const latest = { snapshots: { type: 'last', count: 1 } } as const;
    const counts = [claims(first), claims(second)];
    await runBackup({ datastore, repositories: [first.repository, second.repository], options: latest });
    expect(counts.map((count) => count())).toEqual([chunks, chunks]);
    expect(await checked(second)).toMatchObject({ snapshots: 1, problems: [], incomplete: [] });
  });

  it('asks for every chunk when the one before was committed with holes, and so finds what came back', async () => {
    const [chunk = ''] = await chunkFiles(datastore);
    await rename(chunk, `${chunk}.away`);
    const allowDamaged = { allowDamaged: true };
    await runBackup({ datastore, repositories: [first.repository], options: allowDamaged });
    expect(first.repository.snapshots()).toMatchObject([{ damaged: true }]);
    await rename(`${chunk}.away`, chunk);
    await copySnapshot(folderOf(datastore, 'vm/100', 0), folderOf(datastore, 'vm/100', 1));
    const count = claims(first);
    const report = await runBackup({ datastore, repositories: [first.repository], options: allowDamaged });
    expect(report).toMatchObject({ state: 'done', chunks: 1 });
    expect(count()).toBe(chunks);
    expect(first.repository.snapshots().filter(({ damaged }) => damaged)).toHaveLength(1);
  });
});
