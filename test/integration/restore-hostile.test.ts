import { symlink, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { restoreSnapshots } from '../../src/engine/restore/restore-pbs.ts';
import { createDatastore } from '../../src/engine/pbs/datastore-writer/create-datastore.ts';
import { memoryStorage } from '../../src/engine/storage/memory.ts';
import { generateDatastore } from '../support/datastore/generator.ts';
import { restoreOptions, runBackup, smallPlan, testRepository } from '../support/pbs-backup.ts';
import type { DatastorePlan } from '../support/datastore/plan.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { newRun, testRecord } from '../support/repository.ts';

/** One disk of hundreds of different chunks. */
const manyChunks: DatastorePlan = {
  seed: 'many',
  machines: [
    {
      type: 'vm',
      id: '100',
      snapshots: 1,
      disks: [{ name: 'drive-scsi0', sizeBytes: 200 * 65536, chunkSize: 65536, changed: 0 }],
    },
  ],
};

async function setup(p: DatastorePlan) {
  const origin = await temporaryFolder();
  onTestFinished(() => origin.remove());
  const datastore = join(origin.path, 'main');
  await generateDatastore(datastore, p);
  const target = join(origin.path, 'restored');
  await createDatastore(target, { chunkFolders: 'none' });
  return { datastore, target, outside: join(origin.path, 'outside') };
}

/** One snapshot, stored three times because the store lost its packs twice: the index names three places of every chunk. */
async function storedThrice() {
  const { datastore, target } = await setup(manyChunks);
  const storage = memoryStorage();
  const packs = (): string[] => storage.names().filter((name) => name.startsWith('packs/'));
  for (const backup of ['first', 'second', 'third']) {
    for (const name of packs()) await storage.delete(name);
    const { repository } = await testRepository(1, storage);
    const report = await runBackup({ datastore, repositories: [repository], options: { backup } });
    expect(report.state).toBe('done');
  }
  const restoreThird = async () => {
    const { repository } = await testRepository(1, storage);
    const snapshots = repository.snapshots().filter((summary) => summary.backup === 'third');
    return restoreSnapshots({ repository, snapshots, target: { datastore: target }, options: restoreOptions });
  };
  return { storage, packs, restoreThird };
}

it('finds every chunk of lost packs that other packs have too, however many they are', async () => {
  const { restoreThird } = await storedThrice();
  expect(await restoreThird()).toMatchObject({ state: 'done', refused: [], quarantined: [] });
});

it('publishes nothing when the last copy of a chunk is damaged too', async () => {
  const { storage, packs, restoreThird } = await storedThrice();
  const sizes = await Promise.all(packs().map(async (name) => ({ name, bytes: await storage.get(name) })));
  const largest = sizes.toSorted((a, b) => b.bytes.byteLength - a.bytes.byteLength)[0];
  if (!largest) throw new Error('no pack');
  storage.tamper(largest.name, new Uint8Array(largest.bytes.byteLength));
  const report = await restoreThird();
  expect(report).toMatchObject({ state: 'failed', restored: [], counts: { quarantined: report.quarantined.length } });
  expect(report.quarantined.length).toBeGreaterThan(0);
});

it('writes nothing through a symbolic link in the target, and restores the rest', async () => {
  const { datastore, target, outside } = await setup(smallPlan);
  const storage = memoryStorage();
  const one = await testRepository(1, storage);
  await runBackup({ datastore, repositories: [one.repository] });
  await mkdir(outside);
  await symlink(outside, join(target, 'vm'));
  const result = await restoreSnapshots({
    repository: one.repository,
    snapshots: one.repository.snapshots(),
    target: { datastore: target },
    options: restoreOptions,
  });
  expect(await readdir(outside)).toEqual([]);
  expect(result.refused.length).toBe(3);
  expect(result.restored.length).toBe(3);
});

it('refuses records that name what no datastore can hold, and restores the rest', async () => {
  const { datastore, target } = await setup(smallPlan);
  const storage = memoryStorage();
  const one = await testRepository(1, storage);
  await runBackup({ datastore, repositories: [one.repository] });
  const session = await one.repository.write({ run: newRun() });
  await session.commit([
    testRecord('x', { backupId: '../../etc' }),
    testRecord('y', { namespace: '../..' }),
    testRecord('z', { backupTime: 0 }),
  ]);
  await session.close();
  const result = await restoreSnapshots({
    repository: one.repository,
    snapshots: one.repository.snapshots(),
    target: { datastore: target },
    options: restoreOptions,
  });
  expect(result.restored.length).toBe(6);
  expect(result.refused.length).toBe(3);
});
