import { cp, mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { StorageError } from '../../src/core/errors.ts';
import type { BackupProgress } from '../../src/engine/backup/backup.ts';
import type { CommitResult } from '../../src/engine/repository/repository.ts';
import { chunkFiles } from '../support/datastore/damage.ts';
import { generateDatastore } from '../support/datastore/generator.ts';
import { folderOf, runBackup, smallPlan, testRepository, type TestRepository } from '../support/pbs-backup.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

import { changeManifest, copySnapshot } from '../support/pbs-changes.ts';
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

describe('a backup of a datastore into two repositories', () => {
  it('commits every snapshot in both, reading each chunk file once', async () => {
    const chunks = await chunkFiles(datastore);
    const sizes = await Promise.all(chunks.map(async (path) => (await stat(path)).size));
    const report = await runBackup({ datastore, repositories: both(), options: { threads: 2 } });
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

  it('stores the items again when a store lost packs before the commit, and fails a store that always does', async () => {
    /** Sessions of this repository lose the packs of their first `times` commits. */
    const losing = (repository: TestRepository['repository'], times: number): { again: number } => {
      const seen = { again: 0 };
      const write = repository.write.bind(repository);
      repository.write = async (options) => {
        const session = await write(options);
        const commit = session.commit.bind(session);
        let records: Parameters<typeof commit>[0] = [];
        let left = times;
        const answer = async (): Promise<CommitResult> =>
          left-- > 0 ? { outcome: 'lost', snapshots: [], packs: [] } : commit(records);
        session.commit = (wanted) => {
          records = wanted;
          return answer();
        };
        session.mend = () => {
          seen.again += 1;
          return answer();
        };
        return session;
      };
      return seen;
    };
    const seen = losing(first.repository, 1);
    losing(second.repository, Infinity);
    const report = await runBackup({ datastore, repositories: both() });
    expect(seen.again).toBe(1);
    expect(report.repositories.map(({ state, snapshots }) => [state, snapshots.length])).toEqual([
      ['done', 6],
      ['failed', 0],
    ]);
    expect(report.problem).toMatchObject({ code: 'repository.commit' });
    expect(items(first)).toHaveLength(6);
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
