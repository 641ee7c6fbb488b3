import { appendFile, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SourceError } from '../../../src/core/errors.ts';
import { createDatastore } from '../../../src/engine/pbs/datastore-writer/create-datastore.ts';
import { openDatastore } from '../../../src/engine/pbs/datastore.ts';
import { EncryptionKey } from '../../../src/engine/pbs/keys.ts';
import { formatTime } from '../../../src/engine/pbs/layout.ts';
import { checkSignature } from '../../../src/engine/pbs/manifest.ts';
import { unreadable } from '../../../src/engine/pbs/source-files.ts';
import { damageFile } from '../../support/datastore/damage.ts';
import { generateDatastore, type GeneratedDatastore } from '../../support/datastore/generator.ts';
import { realisticPlan } from '../../support/datastore/plan.ts';
import { compareTrees } from '../../support/datastore/trees.ts';

const key = new EncryptionKey(new Uint8Array(32).fill(9));
let base: string;
let generated: GeneratedDatastore;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'nestegg-pbs-'));
  generated = await generateDatastore(join(base, 'store'), realisticPlan('datastore test', 2, key));
});

afterAll(() => rm(base, { recursive: true, force: true }));

/** A datastore of its own, with the tree that `files` describes: paths and contents. */
async function handMade(name: string, files: readonly string[]): Promise<string> {
  const path = join(base, name);
  await createDatastore(path, { chunkFolders: 'none' });
  for (const file of files) {
    await mkdir(join(path, file, '..'), { recursive: true });
    await writeFile(join(path, file), '');
  }
  return path;
}

describe('a datastore', () => {
  it('lists groups of all namespaces with owner and notes', async () => {
    const groups = await (await openDatastore(generated.path)).listGroups();
    expect(groups.map(({ namespace, type, id, owner, notes }) => [namespace, type, id, owner, notes])).toEqual([
      ['', 'host', 'desk-1', 'root@pam\n', undefined],
      ['', 'vm', '100', 'root@pam\n', 'web server\n'],
      ['', 'vm', '101', 'backup@pbs!pve1\n', undefined],
      ['customers', 'vm', '102', 'root@pam\n', undefined],
      ['customers/acme', 'ct', '200', 'root@pam\n', 'mail'],
    ]);
  });

  it('lists from a namespace, to a depth', async () => {
    const store = await openDatastore(generated.path);
    const names = async (options: object) => (await store.listGroups(options)).map(({ id }) => id);
    expect(await names({ depth: 0 })).toEqual(['desk-1', '100', '101']);
    expect(await names({ depth: 1 })).toEqual(['desk-1', '100', '101', '102']);
    expect(await names({ namespace: 'customers' })).toEqual(['102', '200']);
    expect(await names({ namespace: 'customers', depth: 0 })).toEqual(['102']);
    expect(await names({ namespace: 'nobody' })).toEqual([]);
  });

  it('lists and proves everything in every snapshot', async () => {
    const store = await openDatastore(generated.path);
    const found: string[] = [];
    for (const group of await store.listGroups()) {
      for (const snapshot of await store.listSnapshots(group)) {
        const { manifest } = await snapshot.readManifest();
        for (const file of manifest.files) {
          await (file.kind === 'blob' ? snapshot.readBlob(file) : snapshot.readIndex(file));
        }
        expect(snapshot.hasClientLog).toBe((await snapshot.readClientLog()) !== undefined);
        expect(checkSignature(manifest, key)).toBe(snapshot.id === '102' ? 'valid' : 'unsigned');
        const files = [...snapshot.files, ...(snapshot.protected ? ['.protected'] : [])].sort();
        expect(files).toEqual(
          generated.snapshots.find(({ folder }) => snapshot.directory.endsWith(`/${folder}`))?.files,
        );
        found.push(snapshot.directory.slice(generated.path.length + 1));
      }
    }
    expect(found.sort()).toEqual(generated.snapshots.map(({ folder }) => folder).sort());
  });

  it('is made the same again from the same seed', async () => {
    await generateDatastore(join(base, 'again'), generated.plan);
    expect(await compareTrees(generated.path, join(base, 'again'))).toEqual([]);
  });

  it('passes over what is no group and no snapshot', async () => {
    const path = await handMade('odd', [
      'vm/100/owner',
      'vm/100/2024-02-30T10:00:00Z/index.json.blob',
      'vm/100/2024-03-01T10:00:00Z/index.json.blob',
      'vm/100/2024-03-01T10:00:00Z/drive.tmp_fidx',
      'vm/100/2024-03-02T10:00:00Z/drive.img.fidx',
      'vm/100/lost+found/x',
      'vm/-x/owner',
      'lxc/1/owner',
      'host/benchmark/2024-03-01T10:00:00Z/index.json.blob',
      'ns/bad name/vm/1/owner',
      `${'ns/a/'.repeat(7)}vm/7/owner`,
      `${'ns/a/'.repeat(8)}vm/8/owner`,
    ]);
    await symlink(join(path, 'vm/100'), join(path, 'vm/101'));
    const store = await openDatastore(path);
    const groups = await store.listGroups();
    expect(groups.map(({ namespace, id }) => [namespace, id])).toEqual([
      ['', '100'],
      ['a/a/a/a/a/a/a', '7'],
    ]);
    const snapshots = await store.listSnapshots({ namespace: '', type: 'vm', id: '100' });
    expect(snapshots.map(({ timeSeconds, finished, files }) => [formatTime(timeSeconds), finished, files])).toEqual([
      ['2024-03-01T10:00:00Z', true, ['index.json.blob']],
      ['2024-03-02T10:00:00Z', false, ['drive.img.fidx']],
    ]);
    await expect(snapshots[1]?.readManifest()).rejects.toMatchObject({ code: 'source.changed' });
    await expect(snapshots[0]?.readManifest()).rejects.toMatchObject({ name: 'SourceError', code: 'pbs.format' });
  });

  it('says which file disagrees with its manifest', async () => {
    const copy = join(base, 'disagreeing');
    await generateDatastore(copy, generated.plan);
    const store = await openDatastore(copy);
    const [snapshot] = await store.listSnapshots({ namespace: '', type: 'vm', id: '100' });
    const { manifest } = (await snapshot?.readManifest()) ?? {};
    const [disk, config] = manifest?.files ?? [];
    if (!snapshot || !disk || !config) throw new Error('the generator made no such snapshot');
    await damageFile(join(snapshot.directory, disk.name), 'truncate');
    await appendFile(join(snapshot.directory, config.name), 'x');
    const path = (name: string) => expect.stringContaining(join(snapshot.directory, name)) as string;
    await expect(snapshot.readIndex(disk)).rejects.toMatchObject({
      code: 'pbs.format',
      message: path(disk.name),
    });
    await expect(snapshot.readBlob(config)).rejects.toMatchObject({
      code: 'source.corrupt',
      message: path(config.name),
    });
    await damageFile(join(snapshot.directory, config.name), 'remove');
    await expect(snapshot.readBlob(config)).rejects.toMatchObject({ code: 'source.changed' });
    await symlink('/etc/hostname', join(snapshot.directory, config.name));
    await expect(snapshot.readBlob(config)).rejects.toMatchObject({ code: 'source.unreadable' });
    await rename(snapshot.directory, join(snapshot.directory, '../2020-01-01T00:00:00Z'));
    const moved = await store.findSnapshot({ ...snapshot, timeSeconds: Date.UTC(2020, 0) / 1000 });
    await expect(moved?.readManifest()).rejects.toMatchObject({ code: 'pbs.format' });
    expect(await store.findSnapshot(snapshot)).toBeUndefined();
  });

  it('goes on around what cannot be read, and names it', async () => {
    const path = await handMade('unreadable', [
      'vm/100/owner',
      'vm/101/owner',
      'ct/1/2024-01-01T00:00:00Z/index.json.blob',
    ]);
    // A folder where a file must be, and a file where a folder must be, also stop root.
    await rm(join(path, 'vm/100/owner'));
    await mkdir(join(path, 'vm/100/owner'));
    await rm(join(path, 'ct/1'), { recursive: true });
    await rm(join(path, 'ct'), { recursive: true });
    await writeFile(join(path, 'ct'), '');
    const store = await openDatastore(path);
    const problems: SourceError[] = [];
    const groups = await store.listGroups({ onProblem: (problem) => problems.push(problem) });
    expect(groups.map(({ id }) => id)).toEqual(['101']);
    expect(problems.map(({ context }) => context['path'])).toEqual([join(path, 'ct'), join(path, 'vm/100/owner')]);
    await expect(store.listGroups()).rejects.toMatchObject({ name: 'SourceError', code: 'source.unreadable' });
  });

  it('says what to do about a folder without permission', () => {
    const denied = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    expect(unreadable('/mnt/store/vm', denied)).toMatchObject({
      code: 'source.unreadable',
      message: '/mnt/store/vm cannot be read: EACCES: permission denied',
      hint: expect.stringContaining('"backup"') as string,
    });
  });
});

describe('opening', () => {
  it('refuses what is missing and what is no datastore', async () => {
    await expect(openDatastore(join(base, 'nothing'))).rejects.toMatchObject({ code: 'source.missing' });
    await mkdir(join(base, 'empty'));
    await expect(openDatastore(join(base, 'empty'))).rejects.toMatchObject({ code: 'source.unsupported' });
  });

  async function configured(name: string, lines: string): Promise<string> {
    const configFile = join(base, `${name}.cfg`);
    await writeFile(
      configFile,
      `datastore: other\n\tpath /elsewhere\n\ndatastore: ${name}\n\tcomment a b\n\tpath ${generated.path}\n${lines}`,
    );
    return configFile;
  }

  it('learns the name from the configuration of PBS', async () => {
    const store = await openDatastore(generated.path, { configFile: await configured('main', '') });
    expect(store.name).toBe('main');
    expect((await openDatastore(generated.path, { configFile: join(base, 'none.cfg') })).name).toBeUndefined();
  });

  it('refuses a backend in S3 that the configuration tells', async () => {
    const configFile = await configured('bucket', '\tbackend type=s3,client=c,bucket=b\n');
    await expect(openDatastore(generated.path, { configFile })).rejects.toMatchObject({ code: 'source.unsupported' });
  });

  it.each(['offline', 'type=offline,message="moving"', 'delete', 'unmount', 's3-refresh'])(
    'waits for the end of maintenance mode %s',
    async (mode) => {
      const configFile = await configured('busy', `\tmaintenance-mode ${mode}\n`);
      await expect(openDatastore(generated.path, { configFile })).rejects.toMatchObject({
        code: 'source.unreadable',
        retry: 'later',
      });
    },
  );

  it('reads in maintenance mode read-only', async () => {
    const configFile = await configured('quiet', '\tmaintenance-mode read-only\n');
    expect((await openDatastore(generated.path, { configFile })).entry?.maintenance).toBe('read-only');
  });

  const marker = (byte: number) => `.chunks/0000/${byte.toString(16).padStart(64, '0')}`;

  it('refuses the cache of a datastore in S3 by its markers', async () => {
    const using = await handMade('using', [`${marker(1)}.using`]);
    await expect(openDatastore(using)).rejects.toThrow(/only the cache of a datastore in S3: there is a marker/);
    const evicted = await handMade(
      'evicted',
      Array.from({ length: 8 }, (_, at) => marker(at)),
    );
    await expect(openDatastore(evicted)).rejects.toThrow(/8 of 8 chunk files/);
  });

  it('takes one empty chunk for damage', async () => {
    expect((await openDatastore(await handMade('crashed', [marker(1)]))).path).toBe(join(base, 'crashed'));
  });
});

describe('a new datastore', () => {
  it('has the chunk folders of PBS, and only goes into an empty folder', async () => {
    // In memory where there is such a place: 65,536 folders are much for a busy disk.
    const path = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'nestegg-pbs-'));
    try {
      await createDatastore(path);
      expect(await readdir(path)).toEqual(['.chunks', '.lock']);
      const folders = (await readdir(join(path, '.chunks'))).sort();
      expect([folders.length, folders[0], folders.at(-1)]).toEqual([65_536, '0000', 'ffff']);
      const status = await stat(join(path, '.chunks', 'abcd'));
      expect(status.mode & 0o7777).toBe(0o750);
      if (process.getuid?.() === 0) expect([status.uid, status.gid]).toEqual([34, 34]);
      await expect(createDatastore(path)).rejects.toMatchObject({ code: 'restore.target' });
    } finally {
      rmSync(path, { recursive: true });
    }
  });
});
