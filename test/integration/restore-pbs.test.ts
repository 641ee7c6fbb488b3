import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { StorageError } from '../../src/core/errors.ts';
import type { RestoreRequest } from '../../src/engine/restore/restore.ts';
import { restoreSnapshots } from '../../src/engine/restore/restore-pbs.ts';
import { FixedIndex } from '../../src/engine/pbs/fixed-index.ts';
import { chunkPath } from '../../src/engine/pbs/layout.ts';
import { createDatastore } from '../../src/engine/pbs/datastore-writer/create-datastore.ts';
import { packName } from '../../src/engine/format/names.ts';
import { pbsChunkDigest } from '../../src/engine/format/pbs-chunk-id.ts';
import type { MemoryStorage } from '../../src/engine/storage/memory.ts';
import { memoryStorage } from '../../src/engine/storage/memory.ts';
import { chunkFiles, damageFile } from '../support/datastore/damage.ts';
import { generateDatastore } from '../support/datastore/generator.ts';
import {
  folderOf,
  restoreOptions,
  runBackup,
  smallPlan,
  testRepository,
  type TestRepository,
} from '../support/pbs-backup.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

const run = promisify(execFile);

let origin: TemporaryFolder;
let original: string;
let storage: MemoryStorage;
let folder: TemporaryFolder;
let target: string;
let source: TestRepository;

beforeAll(async () => {
  origin = await temporaryFolder();
  original = join(origin.path, 'main');
  await generateDatastore(original, smallPlan);
  storage = memoryStorage();
  const { repository } = await testRepository(1, storage);
  const report = await runBackup({ datastore: original, repositories: [repository] });
  expect(report.state).toBe('done');
});
afterAll(() => origin.remove());

beforeEach(async () => {
  folder = await temporaryFolder();
  target = join(folder.path, 'restored');
  await createDatastore(target, { chunkFolders: 'none' });
  // A machine that has only the store and the keys.
  source = await testRepository(1, storage);
});
afterEach(() => folder.remove());

function restore(
  change: Partial<Omit<RestoreRequest, 'options'>> & { readonly options?: Partial<RestoreRequest['options']> } = {},
) {
  const { options, ...rest } = change;
  return restoreSnapshots({
    repository: source.repository,
    snapshots: source.repository.snapshots(),
    target: { datastore: target },
    ...rest,
    options: { ...restoreOptions, ...options },
  });
}

/** What `diff -r` says about two trees: nothing when they are the same. */
async function differences(a: string, b: string): Promise<string> {
  const { stdout } = await run('diff', ['-r', '--exclude=.chunks', '--exclude=.lock', a, b]).catch((error: unknown) => {
    if (error instanceof Error && 'stdout' in error) return { stdout: String(error.stdout) };
    throw error;
  });
  return stdout;
}

async function sameChunks(): Promise<void> {
  const [before, after] = [await chunkFiles(original), await chunkFiles(target)];
  expect(after.map((path) => path.slice(target.length))).toEqual(before.map((path) => path.slice(original.length)));
  for (const [at, path] of after.entries()) {
    expect((await readFile(path)).equals(await readFile(before[at] ?? '')), path).toBe(true);
  }
}

function only(group: string, number?: number) {
  const item = number === undefined ? undefined : String(Date.UTC(2024, 5, 1 + number) / 1000);
  return source.repository
    .snapshots()
    .filter((snapshot) => snapshot.group === group && (item === undefined || snapshot.item === item));
}

async function digestsOf(snapshot: string): Promise<FixedIndex> {
  return new FixedIndex(await readFile(join(snapshot, 'drive-scsi0.img.fidx')));
}

describe('restoring into a datastore', () => {
  it('gives back the whole datastore, byte for byte', async () => {
    const report = await restore({ options: { threads: 2 } });
    expect(report).toMatchObject({ state: 'done', skipped: [], refused: [], quarantined: [] });
    expect(report.restored).toHaveLength(6);
    expect(report.restored[0]).toBe('vm/100/2024-06-03T00:00:00Z');
    expect(await differences(original, target)).toBe('');
    await sameChunks();
    const chunks = (await chunkFiles(original)).length;
    expect(report.counts).toMatchObject({ chunks, written: chunks, present: 0, healed: 0, quarantined: 0 });
  });

  it('fetches every pack once', async () => {
    const report = await restore();
    expect(source.store.script.calls('getRange')).toBeGreaterThanOrEqual(report.counts.fetches);
    const packs = new Set<string>();
    for await (const { name } of storage.list('packs/')) packs.add(name);
    expect(report.counts.fetches).toBeLessThanOrEqual(packs.size);
  });

  it('makes a new datastore as PBS wants it where nothing is', async () => {
    const fresh = join(folder.path, 'fresh');
    const report = await restore({ target: { datastore: fresh }, snapshots: only('|host/desk-1') });
    expect(report.state).toBe('done');
    expect(await readdir(join(fresh, '.chunks'))).toHaveLength(65_536);
    expect((await stat(join(fresh, '.chunks'))).mode & 0o777).toBe(0o750);
    expect(await differences(join(original, 'host'), join(fresh, 'host'))).toBe('');
  });

  it('restores in several windows as in one', async () => {
    const report = await restore({ options: { windowChunks: 1 } });
    expect(report).toMatchObject({ state: 'done', refused: [] });
    expect(await differences(original, target)).toBe('');
    await sameChunks();
  });

  it('puts a namespace, or one snapshot, exactly where it is told', async () => {
    await restore({ snapshots: only('customers/acme|ct/200', 1), target: { datastore: target, namespace: 'rescued' } });
    const from = folderOf(original, 'ns/customers/ns/acme/ct/200', 1);
    expect(await differences(from, folderOf(target, 'ns/rescued/ct/200', 1))).toBe('');
  });

  it('skips what is there and the same, and goes on with the rest', async () => {
    await restore({ snapshots: only('|vm/100', 2) });
    const report = await restore();
    expect(report.skipped).toEqual(['vm/100/2024-06-03T00:00:00Z']);
    expect(report.restored).toHaveLength(5);
    expect(report.counts.present).toBeGreaterThan(0);
    expect(await differences(original, target)).toBe('');
  });

  it('refuses to replace another snapshot of the same name, and restores the others', async () => {
    await restore({ snapshots: only('|vm/100') });
    const other = folderOf(target, 'vm/100', 1);
    await damageFile(join(other, 'qemu-server.conf.blob'), 'flip');
    const kept = await readFile(join(other, 'qemu-server.conf.blob'));
    const report = await restore();
    expect(report.state).toBe('failed');
    expect(report.problem?.code).toBe('restore.incomplete');
    expect(report.refused.map(({ snapshot, problem }) => [snapshot, problem.code])).toEqual([
      ['vm/100/2024-06-02T00:00:00Z', 'restore.target'],
    ]);
    expect(report.restored).toHaveLength(3);
    expect(await readFile(join(other, 'qemu-server.conf.blob'))).toEqual(kept);
  });

  it('refuses a group of another owner, unless told', async () => {
    await mkdir(join(target, 'vm/100'), { recursive: true });
    await writeFile(join(target, 'vm/100/owner'), 'somebody@pbs\n');
    const refused = await restore({ snapshots: only('|vm/100', 0) });
    expect(refused.refused[0]?.problem.code).toBe('pbs.refused');
    const told = await restore({ snapshots: only('|vm/100', 0), options: { otherOwner: 'keep' } });
    expect(told.state).toBe('done');
    expect(await readFile(join(target, 'vm/100/owner'), 'utf8')).toBe('somebody@pbs\n');
  });

  it.each(['flip', 'empty', 'truncate'] as const)(
    'proves chunks that are there, and heals a bad one (%s)',
    async (damage) => {
      await cp(join(original, '.chunks'), join(target, '.chunks'), { recursive: true });
      const index = await digestsOf(folderOf(original, 'vm/100', 2));
      await damageFile(join(target, chunkPath(index.digestAt(5))), damage);
      const report = await restore();
      expect(report).toMatchObject({ state: 'done', counts: { healed: 1, written: 0 } });
      await sameChunks();
    },
  );

  it('cleans up what a run that was killed has left, and finishes it', async () => {
    const begun = folderOf(target, 'vm/100', 2);
    await mkdir(begun, { recursive: true });
    await writeFile(join(target, 'vm/100/owner'), 'root@pam\n');
    await writeFile(join(begun, 'index.json.tmp_neAbCd'), '');
    await writeFile(join(begun, 'drive-scsi0.img.tmp_fidx'), 'half');
    const report = await restore();
    expect(report).toMatchObject({ state: 'done', refused: [] });
    expect(await differences(original, target)).toBe('');
  });

  it('says exactly what it would do in a dry run, and does nothing', async () => {
    await cp(join(original, '.chunks'), join(target, '.chunks'), { recursive: true });
    const index = await digestsOf(folderOf(original, 'vm/100', 2));
    await damageFile(join(target, chunkPath(index.digestAt(5))), 'flip');
    await rm(join(target, chunkPath(index.digestAt(6))));
    const before = await readdir(target, { recursive: true });
    const dry = await restore({ options: { dryRun: true } });
    expect((await readdir(target, { recursive: true })).sort()).toEqual(before.sort());
    const real = await restore();
    expect(dry.restored.toSorted()).toEqual(real.restored.toSorted());
    expect(dry.counts).toEqual(real.counts);
    expect(real.counts).toMatchObject({ healed: 1, written: 1 });
  });

  it('touches nothing in a dry run where nothing is', async () => {
    const fresh = join(folder.path, 'fresh');
    const report = await restore({ target: { datastore: fresh }, options: { dryRun: true } });
    expect(report).toMatchObject({ state: 'done', counts: { written: (await chunkFiles(original)).length } });
    await expect(stat(fresh)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a damaged repository', () => {
  /** Packs that hold chunks of the newest disk. */
  async function packOf(position: number): Promise<string> {
    const summary = only('|vm/100', 2)[0];
    if (!summary) throw new Error('no such snapshot');
    const { source: record } = await source.repository.readRecord(summary);
    const file = record.files.find(({ name }) => name === 'drive-scsi0.img.fidx');
    if (file?.kind !== 'fixed') throw new Error('no such index');
    const index = await digestsOf(folderOf(original, 'vm/100', 2));
    const ref = {
      digest: pbsChunkDigest(file.assurance, index.digestAt(position), file.extra),
      length: index.lengthAt(position),
    };
    await source.repository.loadIndex();
    const location = source.repository.locate(source.repository.blobId('pbs-chunk', ref));
    if (!location) throw new Error('no such chunk');
    return packName(location.pack);
  }

  it.each(['lost', 'corrupt'] as const)(
    'quarantines what is %s, and restores every snapshot that does not need it',
    async (how) => {
      const name = await packOf(3);
      source.store.script.add({
        operation: 'getRange',
        subject: new RegExp(name),
        fault:
          how === 'lost'
            ? { kind: 'error-before', error: () => new StorageError('storage.not-found', `${name} is not there`) }
            : { kind: 'bit-flip', bit: 8 * 70_000 },
      });
      const report = await restore();
      expect(report.state).toBe('failed');
      expect(report.quarantined.length).toBeGreaterThan(0);
      expect(report.counts.quarantined).toBeGreaterThan(0);
      expect(report.restored.length + report.refused.length).toBe(6);
      for (const { snapshot } of report.refused) {
        expect(report.quarantined.some((piece) => piece.snapshot === snapshot)).toBe(true);
        await expect(stat(join(target, snapshot, 'index.json.blob'))).rejects.toMatchObject({ code: 'ENOENT' });
      }
      for (const snapshot of report.restored) {
        expect(await differences(join(original, snapshot), join(target, snapshot))).toBe('');
      }
      source.store.script.clear();
      expect((await restore()).state).toBe('done');
      expect(await differences(original, target)).toBe('');
      await sameChunks();
    },
  );

  it('restores with missing chunks when damage is allowed', async () => {
    const name = await packOf(3);
    source.store.script.add({
      operation: 'getRange',
      subject: new RegExp(name),
      fault: { kind: 'error-before', error: () => new StorageError('storage.not-found', `${name} is not there`) },
    });
    const report = await restore({ options: { allowDamaged: true } });
    expect(report).toMatchObject({ state: 'warning', refused: [] });
    expect(report.restored).toHaveLength(6);
    expect(await differences(original, target)).toBe('');
    expect((await chunkFiles(target)).length).toBe((await chunkFiles(original)).length - report.counts.quarantined);
  });

  it('ends with the error of a store that cannot be reached, and goes on from there when it can', async () => {
    const published: string[] = [];
    const events: RestoreRequest['events'] = {
      progress: ({ phase, item = '' }) => {
        if (phase !== 'publish') return;
        published.push(item);
        source.store.script.add({
          operation: 'getRange',
          times: 1,
          fault: {
            kind: 'error-before',
            error: () => new StorageError('storage.unavailable', 'no answer', { retry: 'later' }),
          },
        });
      },
    };
    await expect(restore({ events, options: { windowChunks: 1 } })).rejects.toMatchObject({
      code: 'storage.unavailable',
    });
    expect(published).toHaveLength(1);
    source.store.script.clear();
    const report = await restore();
    expect(report).toMatchObject({ state: 'done', skipped: published });
    expect(await differences(original, target)).toBe('');
    await sameChunks();
  });

  it('says cancelled, and leaves no temporary file', async () => {
    const controller = new AbortController();
    const report = await restore({
      signal: controller.signal,
      options: { windowChunks: 1 },
      events: {
        progress: ({ phase }) => {
          if (phase === 'publish') controller.abort();
        },
      },
    });
    expect(report.state).toBe('cancelled');
    const names = await readdir(target, { recursive: true });
    expect(names.filter((name) => name.includes('.tmp'))).toEqual([]);
  });
});
