import { rmSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { StorageError } from '../../src/core/errors.ts';
import type { Problem } from '../../src/core/problem.ts';
import type { BackupProgress } from '../../src/engine/backup/backup.ts';
import { encodeBlob } from '../../src/engine/pbs/data-blob.ts';
import { FixedIndex } from '../../src/engine/pbs/fixed-index.ts';
import { chunkPath } from '../../src/engine/pbs/layout.ts';
import { decodeManifest, encodeManifest } from '../../src/engine/pbs/manifest.ts';
import { chunkFiles, damageFile, type Damage } from '../support/datastore/damage.ts';
import { generateDatastore } from '../support/datastore/generator.ts';
import { folderOf, runBackup, smallPlan, testRepository, type TestRepository } from '../support/pbs-backup.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

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

async function indexOf(path: string): Promise<FixedIndex> {
  return new FixedIndex(await readFile(path));
}

describe('a backup of a datastore into two repositories', () => {
  it('commits every snapshot in both, reading each chunk file once', async () => {
    const chunks = await chunkFiles(datastore);
    const sizes = await Promise.all(chunks.map(async (path) => (await stat(path)).size));
    const report = await runBackup({ datastore, repositories: both() });
    expect(report.warnings).toEqual([]);
    expect(report.state).toBe('done');
    expect(report.items).toBe(6);
    expect(report.chunks).toBe(chunks.length);
    expect(items(first)).toHaveLength(6);
    expect(items(second)).toEqual(items(first));
    expect(report.repositories.map((result) => result.snapshots.length)).toEqual([6, 6]);
    const blobs = report.readBytes - sizes.reduce((sum, size) => sum + size, 0);
    expect(blobs).toBeGreaterThan(0);
    expect(blobs).toBeLessThan(20_000);
  });

  it('opens no chunk file when everything is known, not even for a new snapshot of the same data', async () => {
    await runBackup({ datastore, repositories: both(), options: { snapshots: { type: 'last', count: 1 } } });
    const target = folderOf(datastore, 'vm/100', 2);
    const again = folderOf(datastore, 'vm/100', 20);
    await copySnapshot(target, again);
    await rename(join(datastore, '.chunks'), join(datastore, '.chunks-hidden'));
    await mkdir(join(datastore, '.chunks'));
    const report = await runBackup({
      datastore,
      repositories: both(),
      options: { snapshots: { type: 'last', count: 1 } },
    });
    expect(report).toMatchObject({ state: 'done', items: 1, chunks: 0 });
  });

  it('asks the stores for no write when nothing is new', async () => {
    await runBackup({ datastore, repositories: both() });
    const puts = first.store.script.calls('put');
    const report = await runBackup({ datastore, repositories: both() });
    expect(report).toMatchObject({ state: 'done', items: 0, chunks: 0 });
    expect(first.store.script.calls('put')).toBe(puts);
  });

  it('brings a repository that was added later up to date, and touches the other one no more', async () => {
    await runBackup({ datastore, repositories: [first.repository] });
    const puts = first.store.script.calls('put');
    const report = await runBackup({ datastore, repositories: both() });
    expect(report).toMatchObject({ state: 'done', items: 6 });
    expect(items(second)).toEqual(items(first));
    expect(first.store.script.calls('put')).toBe(puts);
  });

  it('copies what keep would keep, and what the filters select', async () => {
    const report = await runBackup({
      datastore,
      repositories: [first.repository],
      options: { snapshots: { type: 'keep' } },
      keep: { last: 1 },
      source: { include: ['type:vm', 'type:ct'], exclude: ['group:host/desk-1'] },
    });
    // The oldest snapshot of vm/100 is protected, so it is copied as well as the newest.
    expect(report).toMatchObject({ state: 'done', items: 3 });
    expect(items(first).map((item) => item.split('@')[0])).toEqual(['customers/acme|ct/200', '|vm/100', '|vm/100']);
  });

  it('tells its progress, never more than there is', async () => {
    const seen: BackupProgress[] = [];
    await runBackup({ datastore, repositories: both(), events: { progress: (progress) => seen.push(progress) } });
    const last = seen.at(-1);
    expect(last).toMatchObject({ phase: 'commit', doneItems: 6, totalItems: 6 });
    expect(last?.doneBytes).toBeGreaterThan(600_000);
    expect(last?.uploadedBytes).toBeGreaterThan(0);
    for (const { doneItems, totalItems = Infinity } of seen) expect(doneItems).toBeLessThanOrEqual(totalItems);
  });
});

/** The header of an index is covered by no checksum; its digests are. */
async function flipDigest(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(4100) ^ 1, 4100);
  await writeFile(path, bytes);
}

async function copySnapshot(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  const path = join(to, 'index.json.blob');
  const manifest = decodeManifest(await readFile(path));
  const time = Date.parse(to.slice(to.lastIndexOf('/') + 1)) / 1000;
  await writeFile(path, encodeBlob(encodeManifest({ ...manifest.json, 'backup-time': time }), { level: 1 }));
}

describe('bad data in the datastore', () => {
  const damages: readonly Damage[] = ['remove', 'empty', 'truncate', 'flip', 'set-aside'];
  it.each(damages)(
    'a chunk that is damaged (%s) leaves out its snapshots alone, and names chunk, file and position',
    async (damage) => {
      // Chunk 3 of the newest disk, and whoever else uses it.
      const newest = await indexOf(join(folderOf(datastore, 'vm/100', 2), 'drive-scsi0.img.fidx'));
      const digest = newest.digestAt(3);
      await damageFile(join(datastore, chunkPath(digest)), damage);
      let users = 0;
      for (const number of [0, 1, 2]) {
        const index = await indexOf(join(folderOf(datastore, 'vm/100', number), 'drive-scsi0.img.fidx'));
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
    const newest = await indexOf(join(folderOf(datastore, 'vm/100', 2), 'drive-scsi0.img.fidx'));
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
    const newest = await indexOf(join(copied, 'drive-scsi0.img.fidx'));
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
    const index = await indexOf(join(gone, 'drive-scsi0.img.fidx'));
    const older = await indexOf(join(folderOf(datastore, 'vm/100', 1), 'drive-scsi0.img.fidx'));
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

function removeNow(path: string): void {
  // Synchronous on purpose: it must be gone before the run looks again.
  rmSync(path, { recursive: true, force: true });
}

async function changeManifest(
  snapshot: string,
  change: (json: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  const path = join(snapshot, 'index.json.blob');
  const { json } = decodeManifest(await readFile(path));
  await writeFile(path, encodeBlob(encodeManifest(change(json)), { level: 1 }));
}

describe('repositories as failure domains', () => {
  it('ends as failed with a result for each, the good one complete; a retry does the rest', async () => {
    second.store.script.add({
      operation: 'put',
      subject: /^packs\//,
      fault: { kind: 'error-before', error: () => new StorageError('storage.full', 'no space left') },
    });
    const report = await runBackup({ datastore, repositories: both() });
    expect(report.state).toBe('failed');
    expect(report.problem).toMatchObject({ code: 'storage.full' });
    expect(report.repositories.map(({ state, snapshots }) => [state, snapshots.length])).toEqual([
      ['done', 6],
      ['failed', 0],
    ]);
    second.store.script.clear();
    const retry = await runBackup({ datastore, repositories: both() });
    expect(retry.repositories.map(({ state, snapshots }) => [state, snapshots.length])).toEqual([
      ['done', 0],
      ['done', 6],
    ]);
    expect(items(second)).toEqual(items(first));
  });

  it('fails cleanly when every repository fails', async () => {
    for (const { store } of [first, second]) {
      store.script.add({
        operation: 'put',
        fault: { kind: 'error-before', error: () => new StorageError('storage.refused', 'no') },
      });
    }
    const report = await runBackup({ datastore, repositories: both() });
    expect(report).toMatchObject({ state: 'failed', items: 0 });
  });

  it('says cancelled, and commits no half snapshot', async () => {
    const controller = new AbortController();
    const report = await runBackup({
      datastore,
      repositories: both(),
      signal: controller.signal,
      options: { commitEvery: { snapshots: 1 } },
      events: {
        committed: () => {
          controller.abort();
        },
      },
    });
    expect(report.state).toBe('cancelled');
    expect(items(first).length).toBeLessThan(6);
    const rest = await runBackup({ datastore, repositories: both() });
    expect(rest.state).toBe('done');
    expect(items(first)).toHaveLength(6);
    expect(items(second)).toHaveLength(6);
  });

  it('stops at an item boundary when asked, with what it has committed', async () => {
    const stop = new AbortController();
    const report = await runBackup({
      datastore,
      repositories: [first.repository],
      options: { stop: stop.signal, commitEvery: { snapshots: 1 } },
      events: {
        committed: () => {
          stop.abort();
        },
      },
    });
    expect(report).toMatchObject({ state: 'done', items: 1, details: { remaining: 5 } });
    // The newest snapshot of some group came first.
    expect(items(first)).toHaveLength(1);
  });
});

describe('what PBS changes later', () => {
  it('amends notes, protection and a late log, once', async () => {
    await runBackup({ datastore, repositories: both() });
    const snapshot = folderOf(datastore, 'vm/100', 1);
    await changeManifest(snapshot, (json) => ({ ...json, unprotected: { notes: 'before the upgrade' } }));
    await writeFile(join(snapshot, '.protected'), '');
    await writeFile(join(datastore, 'vm/100/notes'), 'new notes');
    const report = await runBackup({ datastore, repositories: both() });
    expect(report).toMatchObject({ state: 'done', items: 0, chunks: 0, details: { amended: 3 } });
    const item = String(Date.UTC(2024, 5, 2) / 1000);
    const summary = second.repository.snapshots().find((each) => each.group === '|vm/100' && each.item === item);
    if (!summary) throw new Error('the snapshot is gone');
    const { source } = await second.repository.readRecord(summary);
    expect(source).toMatchObject({ protected: true, groupNotes: 'new notes' });
    const manifest = source.files.find(({ name }) => name === 'index.json.blob');
    expect(manifest?.size).toBe((await stat(join(snapshot, 'index.json.blob'))).size);
    expect(await runBackup({ datastore, repositories: both() })).toMatchObject({ details: { amended: 0 } });
  });

  it('warns when another snapshot has taken the place of one', async () => {
    await runBackup({ datastore, repositories: [first.repository] });
    await changeManifest(folderOf(datastore, 'vm/100', 1), (json) => ({ ...json, files: [] }));
    const report = await runBackup({ datastore, repositories: [first.repository] });
    expect(report.state).toBe('warning');
    expect(report.warnings[0]?.message).toContain('another snapshot has taken its place');
  });
});
