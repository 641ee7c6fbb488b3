import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { createOsLocks } from '../../../src/core/os-lock-helper.ts';
import { systemRandom } from '../../../src/core/random.ts';
import { loadZstd } from '../../../src/engine/compression/zstd.ts';
import type { ChunkExpectation } from '../../../src/engine/pbs/chunk-reader.ts';
import { encodeBlob } from '../../../src/engine/pbs/data-blob.ts';
import { insertChunk, touchChunk, type ChunkTarget } from '../../../src/engine/pbs/datastore-writer/chunk-insert.ts';
import { createDatastore } from '../../../src/engine/pbs/datastore-writer/create-datastore.ts';
import { removeLeftovers } from '../../../src/engine/pbs/datastore-writer/leftovers.ts';
import { datastoreOwner } from '../../../src/engine/pbs/datastore-writer/new-file.ts';
import {
  SnapshotPublisher,
  type PublisherOptions,
} from '../../../src/engine/pbs/datastore-writer/snapshot-publisher.ts';
import { syncFileSystem } from '../../../src/engine/pbs/datastore-writer/sync-file-system.ts';
import { openDatastore, type Datastore } from '../../../src/engine/pbs/datastore.ts';
import { chunkDigest, EncryptionKey } from '../../../src/engine/pbs/keys.ts';
import { archiveKind, manifestFile, type SnapshotName } from '../../../src/engine/pbs/layout.ts';
import { DatastoreLocks } from '../../../src/engine/pbs/snapshot-lock.ts';
import { damageFile, type Damage } from '../../support/datastore/damage.ts';
import { generateDatastore, type GeneratedDatastore } from '../../support/datastore/generator.ts';
import { realisticPlan } from '../../support/datastore/plan.ts';
import { compareTrees } from '../../support/datastore/trees.ts';

const key = new EncryptionKey(new Uint8Array(32).fill(3));
const data = utf8('chunk data, '.repeat(1000));
const expectation: ChunkExpectation = {
  digest: chunkDigest(data),
  length: data.byteLength,
  cryptMode: 'none',
  verify: 'digest',
};
const os = createOsLocks();
let base: string;
let source: GeneratedDatastore;
let stores = 0;

beforeAll(async () => {
  await loadZstd();
  base = await mkdtemp(join(tmpdir(), 'nestegg-writer-'));
  source = await generateDatastore(join(base, 'source'), realisticPlan('writer test', 1, key));
});

afterAll(() => rm(base, { recursive: true, force: true }));

async function newTarget(): Promise<ChunkTarget> {
  const path = join(base, `target-${String(stores++)}`);
  await createDatastore(path, { chunkFolders: 'none' });
  return { path, owner: datastoreOwner(), clock: systemClock, random: systemRandom, sync: 'later' };
}

describe('inserting a chunk', () => {
  const blob = encodeBlob(data);

  it('writes it once, with the mode and owner of PBS and nothing beside it', async () => {
    const target = await newTarget();
    const path = (await openDatastore(target.path)).chunkPath(expectation.digest);
    expect(insertChunk({ ...target, sync: 'each' }, expectation, blob)).toBe('written');
    expect(insertChunk(target, expectation, blob)).toBe('present');
    expect(new Uint8Array(await readFile(path))).toEqual(blob);
    expect(await readdir(join(path, '..'))).toHaveLength(1);
    const status = await stat(path);
    expect(status.mode & 0o7777).toBe(0o644);
    expect((await stat(join(path, '..'))).mode & 0o7777).toBe(0o750);
    if (process.getuid?.() === 0) expect([status.uid, status.gid]).toEqual([34, 34]);
  });

  it('touches one that is there, so that garbage collection spares it, and leaves its content alone', async () => {
    const target = await newTarget();
    const path = (await openDatastore(target.path)).chunkPath(expectation.digest);
    const smaller = encodeBlob(data, { level: 19 });
    insertChunk(target, expectation, smaller);
    await utimes(path, 1000, 2000);
    expect(insertChunk(target, expectation, blob)).toBe('present');
    const status = await stat(path);
    expect(status.atimeMs).toBeGreaterThan(Date.UTC(2020, 0));
    expect(status.mtimeMs).toBe(2_000_000);
    expect(new Uint8Array(await readFile(path))).toEqual(smaller);
  });

  it.each<Damage>(['flip', 'truncate', 'empty'])('replaces one that is there but bad: %s', async (damage) => {
    const target = await newTarget();
    const path = (await openDatastore(target.path)).chunkPath(expectation.digest);
    insertChunk(target, expectation, blob);
    await damageFile(path, damage);
    expect(insertChunk(target, expectation, blob)).toBe('replaced');
    expect(new Uint8Array(await readFile(path))).toEqual(blob);
  });

  it('leaves nothing behind when it fails', async () => {
    const target = await newTarget();
    const path = (await openDatastore(target.path)).chunkPath(expectation.digest);
    await mkdir(path, { recursive: true });
    expect(() => insertChunk(target, expectation, blob)).toThrow(expect.objectContaining({ code: 'restore.target' }));
    await rm(join(path, '..'), { recursive: true });
    await writeFile(join(path, '..'), '');
    expect(() => insertChunk(target, expectation, blob)).toThrow(expect.objectContaining({ code: 'restore.target' }));
    expect(await readdir(join(target.path, '.chunks'))).toHaveLength(1);
  });

  it('touches only what is there and not empty', async () => {
    const target = await newTarget();
    const path = (await openDatastore(target.path)).chunkPath(expectation.digest);
    expect(touchChunk(path, systemClock)).toBe(false);
    insertChunk(target, expectation, blob);
    expect(touchChunk(path, systemClock)).toBe(true);
    await damageFile(path, 'empty');
    expect(touchChunk(path, systemClock)).toBe(false);
  });
});

describe('leftovers', () => {
  it('of ours that are old are removed, those of PBS and new ones are not', async () => {
    const target = await newTarget();
    const folder = join(target.path, '.chunks', '0000');
    await mkdir(folder);
    const hex = '0'.repeat(64);
    for (const name of [`${hex}.tmp_neAb12`, `${hex}.tmp_neAb34`, `${hex}.tmp_xyAb12`, hex])
      await writeFile(join(folder, name), 'x');
    await utimes(join(folder, `${hex}.tmp_neAb12`), 1000, 1000);
    await utimes(join(folder, `${hex}.tmp_xyAb12`), 1000, 1000);
    expect(await removeLeftovers(target.path, 2_000_000)).toBe(1);
    expect((await readdir(folder)).sort()).toEqual([hex, `${hex}.tmp_neAb34`, `${hex}.tmp_xyAb12`].sort());
  });
});

function options(datastore: Datastore, snapshot: SnapshotName, more: Partial<PublisherOptions> = {}): PublisherOptions {
  const locks = new DatastoreLocks({ os, datastore, runDirectory: join(base, 'no-pbs') });
  return { datastore, snapshot, locks, random: systemRandom, owner: 'root@pam\n', ...more };
}

/** Copies one snapshot, chunks and all, from the generated datastore. */
async function copySnapshot(from: Datastore, to: Datastore, target: ChunkTarget, name: SnapshotName): Promise<void> {
  const snapshot = await from.findSnapshot(name);
  const group = await from.findGroup(name);
  if (!snapshot || !group) throw new Error('the generator made no such snapshot');
  const publisher = await SnapshotPublisher.begin(
    options(to, name, { owner: group.owner ?? '', groupNotes: group.notes }),
  );
  const { manifest, blob } = await snapshot.readManifest();
  for (const file of manifest.files) {
    if (file.kind === 'blob') continue;
    const index = await snapshot.readIndex(file);
    for (let at = 0; at < index.count; at++) {
      const digest = index.digestAt(at);
      const wanted: ChunkExpectation = {
        digest,
        length: index.lengthAt(at),
        cryptMode: file.cryptMode,
        verify: 'digest',
        key,
      };
      insertChunk(target, wanted, await readFile(from.chunkPath(digest)));
    }
  }
  for (const file of snapshot.files.filter((each) => each !== manifestFile)) {
    const bytes = await readFile(join(snapshot.directory, file));
    await (archiveKind(file) === 'blob' ? publisher.writeBlob(file, bytes) : publisher.writeIndex(file, bytes));
  }
  if (snapshot.protected) await publisher.protect();
  await syncFileSystem(to.path);
  await publisher.publish(blob);
}

describe('a snapshot', () => {
  it('copied with all others gives the same datastore, as diff -r sees it', async () => {
    const target = await newTarget();
    const from = await openDatastore(source.path);
    const to = await openDatastore(target.path);
    for (const { name } of source.snapshots) await copySnapshot(from, to, target, name);
    expect(await compareTrees(source.path, target.path)).toEqual([]);
    expect(spawnSync('diff', ['-r', source.path, target.path], { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stdout: '',
    });
  });

  it('has the modes and the owner of PBS', async () => {
    const [snapshot] = source.snapshots;
    const modes = await Promise.all(
      [
        'vm',
        'vm/100',
        'vm/100/owner',
        snapshot?.folder ?? '',
        ...(snapshot?.files ?? []).map((file) => `${snapshot?.folder ?? ''}/${file}`),
      ].map(async (path) => stat(join(source.path, path))),
    );
    for (const status of modes) {
      expect(status.mode & 0o7777).toBe(status.isDirectory() ? 0o755 : 0o644);
      if (process.getuid?.() === 0) expect([status.uid, status.gid]).toEqual([34, 34]);
    }
  });

  const name: SnapshotName = { namespace: 'a/b', type: 'vm', id: '7', timeSeconds: 1717597476 };

  it('appears with its manifest, and not before', async () => {
    const target = await newTarget();
    const store = await openDatastore(target.path);
    const publisher = await SnapshotPublisher.begin(options(store, name));
    expect((await store.findSnapshot(name))?.finished).toBe(false);
    expect(publisher.locked).toBe(false);
    await publisher.publish(manifestOf(name));
    expect((await store.findSnapshot(name))?.files).toEqual([manifestFile]);
    expect(await readdir(publisher.directory)).toEqual([manifestFile]);
    await expect(SnapshotPublisher.begin(options(store, name))).rejects.toMatchObject({
      code: 'restore.target',
      message: expect.stringContaining('there already') as string,
    });
  });

  it('that was abandoned or killed on the way can be begun again', async () => {
    const target = await newTarget();
    const store = await openDatastore(target.path);
    const first = await SnapshotPublisher.begin(options(store, name));
    await first.writeBlob('qemu-server.conf.blob', encodeBlob(data));
    await first.abandon();
    expect(await store.findSnapshot(name)).toBeUndefined();
    const killed = await SnapshotPublisher.begin(options(store, name));
    await killed.writeBlob('qemu-server.conf.blob', encodeBlob(data));
    const again = await SnapshotPublisher.begin(options(store, name));
    await again.publish(manifestOf(name));
    expect(await readdir(again.directory)).toEqual([manifestFile]);
  });

  it('of somebody else is not touched, finished or not', async () => {
    const target = await newTarget();
    const store = await openDatastore(target.path);
    const folder = join(target.path, 'ns/a/ns/b/vm/7/2024-06-05T14:24:36Z');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'drive.tmp_fidx'), '');
    await expect(SnapshotPublisher.begin(options(store, name))).rejects.toMatchObject({
      code: 'restore.target',
      message: expect.stringContaining('somebody else') as string,
    });
    expect(await readdir(folder)).toEqual(['drive.tmp_fidx']);
  });

  it('goes into a group of another owner only when told', async () => {
    const target = await newTarget();
    const store = await openDatastore(target.path);
    await mkdir(join(target.path, 'ns/a/ns/b/vm/7'), { recursive: true });
    await writeFile(join(target.path, 'ns/a/ns/b/vm/7/owner'), 'somebody@pbs\n');
    await expect(SnapshotPublisher.begin(options(store, name))).rejects.toMatchObject({ code: 'pbs.refused' });
    const publisher = await SnapshotPublisher.begin(options(store, name, { otherOwner: 'keep' }));
    await publisher.publish(manifestOf(name));
    expect((await store.findGroup(name))?.owner).toBe('somebody@pbs\n');
  });

  it('is refused while PBS has the datastore in maintenance', async () => {
    const target = await newTarget();
    const configFile = join(base, 'datastore.cfg');
    await writeFile(configFile, `datastore: main\n\tpath ${target.path}\n\tmaintenance-mode read-only\n`);
    const store = await openDatastore(target.path, { configFile });
    await expect(SnapshotPublisher.begin(options(store, name))).rejects.toMatchObject({
      code: 'pbs.refused',
      retry: 'later',
    });
    expect(await readdir(target.path)).toEqual(['.chunks', '.lock']);
  });

  it('is published only with exactly the files of its manifest', async () => {
    const target = await newTarget();
    const store = await openDatastore(target.path);
    const publisher = await SnapshotPublisher.begin(options(store, name));
    const blob = encodeBlob(data);
    const file = {
      filename: 'fw.conf.blob',
      size: blob.byteLength,
      csum: Buffer.from(chunkDigest(blob)).toString('hex'),
    };
    await expect(publisher.publish(manifestOf(name, [file]))).rejects.toThrow(/fw.conf.blob was not written/);
    await publisher.writeBlob('fw.conf.blob', encodeBlob(data, { level: 1 }));
    await expect(publisher.publish(manifestOf(name, [file]))).rejects.toThrow(/other bytes/);
    await publisher.writeBlob('fw.conf.blob', blob);
    await expect(publisher.publish(manifestOf(name))).rejects.toThrow(/does not name fw.conf.blob/);
    await expect(publisher.publish(manifestOf({ ...name, id: '8' }, [file]))).rejects.toMatchObject({
      code: 'pbs.format',
    });
    await expect(publisher.writeIndex('drive.img.fidx', blob)).rejects.toMatchObject({ code: 'pbs.format' });
    await expect(publisher.writeBlob('../x.blob', blob)).rejects.toBeInstanceOf(RangeError);
    await expect(publisher.writeBlob(manifestFile, blob)).rejects.toBeInstanceOf(RangeError);
    await publisher.writeBlob('client.log.blob', blob);
    await publisher.publish(manifestOf(name, [file]));
    expect(await readdir(publisher.directory)).toEqual(['client.log.blob', 'fw.conf.blob', manifestFile]);
  });

  it('keeps the notes a group has, and cleans up what is ours', async () => {
    const target = await newTarget();
    const store = await openDatastore(target.path);
    await mkdir(join(target.path, 'ns/a/ns/b/vm/7'), { recursive: true });
    await writeFile(join(target.path, 'ns/a/ns/b/vm/7/notes'), 'mine');
    await writeFile(join(target.path, 'ns/a/ns/b/vm/7/owner.tmp_neAb12'), 'left by a run of ours that was killed');
    const publisher = await SnapshotPublisher.begin(options(store, name, { groupNotes: 'theirs' }));
    await publisher.abandon();
    expect(await readdir(join(target.path, 'ns/a/ns/b/vm/7'))).toEqual(['notes', 'owner']);
    expect(await store.findGroup(name)).toMatchObject({ notes: 'mine', owner: 'root@pam\n' });
  });
});

function manifestOf(name: SnapshotName, files: readonly object[] = []): Uint8Array {
  const json = {
    'backup-type': name.type,
    'backup-id': name.id,
    'backup-time': name.timeSeconds,
    files,
    signature: null,
    unprotected: {},
  };
  return encodeBlob(utf8(JSON.stringify(json)));
}

describe('syncing a file system', () => {
  it('fails loudly for a path that is not there', async () => {
    await expect(syncFileSystem(join(base, 'nothing'))).rejects.toMatchObject({ code: 'restore.target' });
  });
});
