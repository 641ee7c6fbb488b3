import { rmSync } from 'node:fs';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Problem } from '../../src/core/problem.ts';
import { chunkPath } from '../../src/engine/pbs/layout.ts';
import { chunkFiles, damageFile, type Damage } from '../support/datastore/damage.ts';
import { generateDatastore } from '../support/datastore/generator.ts';
import { folderOf, runBackup, smallPlan, testRepository, type TestRepository } from '../support/pbs-backup.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

import { changeManifest, copySnapshot, flipDigest, readFixedIndex } from '../support/pbs-changes.ts';
let folder: TemporaryFolder;
let datastore: string;
let first: TestRepository;
let second: TestRepository;

let template: TemporaryFolder;

beforeAll(async () => {
  template = await temporaryFolder();
  await generateDatastore(join(template.path, 'main'), smallPlan);
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

function both(): TestRepository['repository'][] {
  return [first.repository, second.repository];
}

function items(repository: TestRepository): string[] {
  return repository.repository
    .snapshots()
    .map(({ group, item }) => `${group}@${item}`)
    .sort();
}

function removeNow(path: string): void {
  // Synchronous on purpose: it must be gone before the run looks again.
  rmSync(path, { recursive: true, force: true });
}

describe('bad data in the datastore', () => {
  const damages: readonly Damage[] = ['remove', 'empty', 'truncate', 'flip', 'set-aside'];
  it.each(damages)(
    'a chunk that is damaged (%s) leaves out its snapshots alone, and names chunk, file and position',
    async (damage) => {
      // Chunk 3 of the newest disk, and whoever else uses it.
      const newest = await readFixedIndex(join(folderOf(datastore, 'vm/100', 2), 'drive-scsi0.img.fidx'));
      const digest = newest.digestAt(3);
      await damageFile(join(datastore, chunkPath(digest)), damage);
      let users = 0;
      for (const number of [0, 1, 2]) {
        const index = await readFixedIndex(join(folderOf(datastore, 'vm/100', number), 'drive-scsi0.img.fidx'));
        users += Buffer.from(index.digests).includes(Buffer.from(digest)) ? 1 : 0;
      }
      const warnings: Problem[] = [];
      const report = await runBackup({
        datastore,
        repositories: both(),
        events: { warning: (warning) => warnings.push(warning) },
      });
      expect(report.state).toBe('warning');
      expect(report.details.incomplete).toBe(users);
      expect(items(first)).toHaveLength(6 - users);
      expect(items(second)).toEqual(items(first));
      const hex = Buffer.from(digest).toString('hex');
      expect(warnings).toHaveLength(users);
      expect(warnings[0]?.message).toContain(
        `chunk ${hex} at position ${String(3 * 65_536)} of drive-scsi0.img.fidx is bad`,
      );
      expect(warnings[0]?.context).toMatchObject({
        badChunks: 1,
        chunks: [{ file: 'drive-scsi0.img.fidx', index: 3, digest: hex }],
      });
    },
  );

  it('commits with holes when damage is allowed, and says so in the record', async () => {
    const newest = await readFixedIndex(join(folderOf(datastore, 'vm/100', 2), 'drive-scsi0.img.fidx'));
    await damageFile(join(datastore, chunkPath(newest.digestAt(3))), 'flip');
    const report = await runBackup({ datastore, repositories: both(), options: { allowDamaged: true } });
    expect(report).toMatchObject({ state: 'warning', items: 6 });
    const damaged = first.repository.snapshots().filter((snapshot) => snapshot.damaged);
    expect(damaged.length).toBeGreaterThan(0);
    for (const snapshot of damaged) {
      const record = await first.repository.readRecord(snapshot);
      expect(
        record.source.holes.map(({ file, digest }) => [file, Buffer.from(digest).equals(newest.digestAt(3))]),
      ).toEqual([['drive-scsi0.img.fidx', true]]);
    }
  });

  it('counts a bad chunk only against the repository that misses it', async () => {
    await runBackup({
      datastore,
      repositories: [first.repository],
      options: { snapshots: { type: 'last', count: 1 } },
    });
    const copied = folderOf(datastore, 'vm/100', 20);
    await copySnapshot(folderOf(datastore, 'vm/100', 2), copied);
    const newest = await readFixedIndex(join(copied, 'drive-scsi0.img.fidx'));
    await damageFile(join(datastore, chunkPath(newest.digestAt(3))), 'flip');
    const report = await runBackup({
      datastore,
      repositories: both(),
      options: { snapshots: { type: 'last', count: 1 } },
    });
    const [one, two] = report.repositories;
    expect([one?.state, two?.state]).toEqual(['done', 'warning']);
    expect(items(first)).toContain(`|vm/100@${String(Date.UTC(2024, 5, 21) / 1000)}`);
    expect(items(second)).not.toContain(`|vm/100@${String(Date.UTC(2024, 5, 21) / 1000)}`);
  });

  const badFiles: readonly (readonly [string, (snapshot: string) => Promise<void>, RegExp])[] = [
    ['an index that is cut short', (path) => damageFile(join(path, 'drive-scsi0.img.fidx'), 'truncate'), /drive-scsi0/],
    ['an index with another digest', (path) => flipDigest(join(path, 'drive-scsi0.img.fidx')), /drive-scsi0/],
    ['an index that is missing', (path) => rm(join(path, 'drive-scsi0.img.fidx')), /drive-scsi0/],
    ['a blob with a flipped bit', (path) => damageFile(join(path, 'qemu-server.conf.blob'), 'flip'), /qemu-server/],
    ['a manifest with a flipped bit', (path) => damageFile(join(path, 'index.json.blob'), 'flip'), /index\.json/],
    [
      'a manifest that names a path',
      (path) =>
        changeManifest(path, (json) => ({
          ...json,
          files: [{ filename: '../../etc/passwd.blob', size: 1, csum: '0'.repeat(64) }],
        })),
      /no manifest may name/,
    ],
    [
      'a manifest of another snapshot',
      (path) => changeManifest(path, (json) => ({ ...json, 'backup-id': '999' })),
      /999/,
    ],
  ];
  it.each(badFiles)('%s leaves out that snapshot alone', async (_name, damage, names) => {
    await damage(folderOf(datastore, 'vm/100', 1));
    const report = await runBackup({ datastore, repositories: both() });
    expect(report.state).toBe('warning');
    expect(items(first)).toHaveLength(5);
    expect(items(second)).toEqual(items(first));
    expect(report.warnings).toHaveLength(1);
    expect(report.warnings[0]?.message).toMatch(names);
    expect(report.warnings[0]?.message).toContain('vm/100/2024-06-02T00:00:00Z was not backed up');
  });

  it('passes over unfinished snapshots, and over what PBS removed meanwhile, without a word', async () => {
    await rm(join(folderOf(datastore, 'vm/100', 2), 'index.json.blob'));
    const gone = folderOf(datastore, 'customers/acme/ct/200', 1).replace('customers/acme', 'ns/customers/ns/acme');
    const report = await runBackup({
      datastore,
      repositories: [first.repository],
      events: {
        progress: ({ phase }) => {
          if (phase === 'amend') removeNow(gone);
        },
      },
    });
    expect(report).toMatchObject({ state: 'done', items: 4, warnings: [] });
  });

  it('drops a snapshot that vanishes with its chunks while it is read', async () => {
    const gone = folderOf(datastore, 'vm/100', 2);
    const index = await readFixedIndex(join(gone, 'drive-scsi0.img.fidx'));
    const older = await readFixedIndex(join(folderOf(datastore, 'vm/100', 1), 'drive-scsi0.img.fidx'));
    for (let at = 0; at < index.count; at += 1) {
      if (!Buffer.from(older.digests).includes(Buffer.from(index.digestAt(at))))
        await rm(join(datastore, chunkPath(index.digestAt(at))));
    }
    const report = await runBackup({
      datastore,
      repositories: [first.repository],
      events: {
        progress: ({ phase }) => {
          if (phase === 'commit') removeNow(gone);
        },
      },
    });
    expect(report).toMatchObject({ state: 'done', items: 5, warnings: [] });
  });

  it('refuses a datastore that is the cache of one in S3', async () => {
    const [chunk = ''] = await chunkFiles(datastore);
    await mkdir(join(datastore, '.chunks', '0000'), { recursive: true });
    await writeFile(join(datastore, '.chunks', '0000', `${chunk.slice(-64)}.using`), '');
    await expect(runBackup({ datastore, repositories: [first.repository] })).rejects.toMatchObject({
      code: 'source.unsupported',
    });
  });
});
