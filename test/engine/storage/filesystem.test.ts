import { chmod, lstat, mkdir, readdir, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { equalBytes } from '../../../src/core/bytes.ts';
import type { StorageError } from '../../../src/core/errors.ts';
import type { FileCalls } from '../../../src/engine/storage/filesystem/file-calls.ts';
import { openFilesystemStorage, type FilesystemOptions } from '../../../src/engine/storage/filesystem.ts';
import type { Storage } from '../../../src/engine/storage/storage.ts';
import { bytes, expectCode, failure, names } from '../../contracts/storage-helpers.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { temporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts';
import { ScriptedFiles, systemError } from './scripted-files.ts';

const name = 'packs/ab/one';
const leftover = '.0123456789abcdef01234567.tmp~';

describe('filesystem storage', () => {
  let folder: TemporaryFolder;
  let root: string;
  let files: ScriptedFiles;

  beforeEach(async () => {
    folder = await temporaryFolder();
    root = join(folder.path, 'store');
    files = new ScriptedFiles(root);
  });

  afterEach(() => folder.remove());

  function open(options: Partial<FilesystemOptions> = {}, overrides: Partial<FileCalls> = {}): Promise<Storage> {
    return openFilesystemStorage(root, { access: 'create', files: files.calls(overrides), ...options });
  }

  /** Lines since the last time. */
  const done = (): string[] => files.log.splice(0);

  async function onDisk(): Promise<string[]> {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
  }

  describe('order of what makes an object durable', () => {
    it('makes new folders durable, then the content, then the name', async () => {
      const storage = await open();
      done();
      await storage.put(name, bytes(100));
      expect(done()).toEqual([
        ...['mkdir packs', 'open /', 'sync /', 'mkdir packs/ab', 'open packs', 'sync packs'],
        ...['create packs/ab/TEMP', 'write packs/ab/TEMP', 'sync packs/ab/TEMP'],
        ...[`link packs/ab/TEMP ${name}`, 'unlink packs/ab/TEMP', 'open packs/ab', 'sync packs/ab'],
      ]);
    });

    it('looks after a folder once, also one that another process made', async () => {
      await mkdir(join(root, 'packs'), { recursive: true });
      const storage = await open();
      done();
      await storage.put('packs/1', bytes(1));
      expect(done().slice(0, 3)).toEqual(['open /', 'sync /', 'create packs/TEMP']);
      await storage.put('packs/2', bytes(1));
      expect(done()[0]).toBe('create packs/TEMP');
    });

    it('makes an object durable that somebody else stored', async () => {
      await (await open()).put(name, bytes(100));
      const storage = await open();
      done();
      expect(await storage.put(name, bytes(100))).toBe('exists');
      expect(done().slice(-4)).toEqual([`open ${name}`, `sync ${name}`, 'open packs/ab', 'sync packs/ab']);
    });

    it('has nothing left to do at the barrier after its own puts, and everything for others', async () => {
      const storage = await open();
      await storage.put(name, bytes(100));
      done();
      await storage.barrier([name]);
      expect(done()).toEqual([]);
      const other = await open({ access: 'write' });
      done();
      await other.barrier([name]);
      expect(done().filter((line) => line.startsWith('sync'))).toEqual([
        `sync ${name}`,
        'sync /',
        'sync packs',
        'sync packs/ab',
      ]);
    });

    it('renames where there are no hard links, and says that names are not guarded', async () => {
      const storage = await open({}, { link: () => Promise.reject(systemError('ENOTSUP')) });
      expect(storage.capabilities.conditionalPut).toBe(false);
      done();
      await storage.put(name, bytes(100));
      const log = done();
      const at = log.indexOf(`rename packs/ab/TEMP ${name}`);
      expect(log[at - 1]).toBe('sync packs/ab/TEMP');
      expect(log.at(-1)).toBe('sync packs/ab');
    });

    it('writes nothing when it is opened for reading', async () => {
      await (await open()).put(name, bytes(100));
      done();
      const storage = await open({ access: 'read' });
      expect(equalBytes(await storage.get(name), bytes(100))).toBe(true);
      expect(done()).toEqual([`open ${name}`]);
    });

    it('gives files and folders to their owner alone', async () => {
      await (await open()).put(name, bytes(100));
      expect((await lstat(join(root, name))).mode & 0o777).toBe(0o600);
      for (const each of [root, join(root, 'packs/ab')]) expect((await lstat(each)).mode & 0o777).toBe(0o700);
    });
  });

  describe('a disk that fails', () => {
    const failAt = (line: string, code: string): void => {
      files.play = (each) => {
        if (each === line) throw systemError(code);
      };
    };

    for (const [line, code, told] of [
      ['sync packs/ab/TEMP', 'EIO', 'storage.failed'],
      ['sync packs/ab/TEMP', 'ENOSPC', 'storage.full'],
      ['sync packs/ab/TEMP', 'ETIMEDOUT', 'storage.failed'],
      ['sync packs/ab', 'EIO', 'storage.failed'],
      ['write packs/ab/TEMP', 'ENOSPC', 'storage.full'],
      ['write packs/ab/TEMP', 'EDQUOT', 'storage.full'],
      ['write packs/ab/TEMP', 'EIO', 'storage.failed'],
      ['create packs/ab/TEMP', 'EROFS', 'storage.refused'],
      ['create packs/ab/TEMP', 'EACCES', 'storage.refused'],
      ['create packs/ab/TEMP', 'EMFILE', 'storage.unavailable'],
      ['create packs/ab/TEMP', 'ESTALE', 'storage.unavailable'],
      ['mkdir packs/ab', 'ENOSPC', 'storage.full'],
      ['mkdir packs/ab', 'EROFS', 'storage.refused'],
    ] as const) {
      it(`tells ${code} at "${line}" as ${told} and leaves no temporary file`, async () => {
        const storage = await open();
        failAt(line, code);
        const error = (await failure(storage.put(name, bytes(100)))) as StorageError;
        expect([error.code, error.retry]).toEqual([told, told === 'storage.unavailable' ? 'later' : 'never']);
        if (told !== 'storage.unavailable') expect(error.hint).toMatch(/\.$/);
        expect(await onDisk()).toEqual(line === 'sync packs/ab' ? ['one'] : []);
      });
    }

    it('never fsyncs a file again after a failure: the next try is another file', async () => {
      const storage = await open();
      const created: string[] = [];
      const calls = files.calls();
      const watched = await open(
        {},
        {
          open: (path, flags, mode) => {
            if (path.endsWith('~')) created.push(path);
            return calls.open(path, flags, mode);
          },
        },
      );
      failAt('sync packs/ab/TEMP', 'EIO');
      created.length = 0;
      await expectCode(watched.put(name, bytes(100)), 'storage.failed');
      files.play = () => undefined;
      expect(await watched.put(name, bytes(100))).toBe('created');
      expect(new Set(created).size).toBe(2);
      await storage.close();
    });

    it('takes nothing more into a folder whose fsync failed', async () => {
      const storage = await open();
      await storage.put('packs/ab/zero', bytes(1));
      failAt('sync packs/ab', 'EIO');
      await expectCode(storage.put(name, bytes(100)), 'storage.failed');
      files.play = () => undefined;
      await expectCode(storage.put(name, bytes(100)), 'storage.failed');
      await expectCode(storage.put('packs/ab/two', bytes(100)), 'storage.failed');
      await expectCode(storage.barrier([name]), 'storage.failed');
      expect(await storage.put('packs/cd/three', bytes(100))).toBe('created');
    });

    it('tells at the barrier what could not be made durable', async () => {
      await (await open()).put(name, bytes(100));
      const storage = await open();
      failAt(`sync ${name}`, 'EIO');
      await expectCode(storage.barrier([name]), 'storage.failed');
    });

    it('goes on after writes and reads of a part', async () => {
      const storage = await open();
      files.mostBytes = 777;
      await storage.put(name, bytes(10_000));
      expect(equalBytes(await storage.get(name), bytes(10_000))).toBe(true);
    });

    it('notices on a network mount what was stored wrongly, before it gets its name', async () => {
      const storage = await open({}, { filesystemType: () => Promise.resolve(0xff534d42) });
      expect(storage.capabilities.visibilityBoundMs).toBe(60_000);
      files.store = (given) => given.map((byte, at) => (at === 50 ? byte ^ 1 : byte));
      await expectCode(storage.put(name, bytes(100)), 'storage.failed');
      expect(await onDisk()).toEqual([]);
    });

    it('notices a write that was said to be done and was not', async () => {
      const calls = files.calls();
      const storage = await open(
        {},
        {
          open: async (path, flags, mode) => {
            const file = await calls.open(path, flags, mode);
            return { ...file, write: (_bytes, _offset, length) => Promise.resolve({ bytesWritten: length }) };
          },
        },
      );
      await expectCode(storage.put(name, bytes(100)), 'storage.failed');
      expect(await onDisk()).toEqual([]);
    });

    it('tells a file that ends too early', async () => {
      const calls = files.calls();
      const storage = await open();
      await storage.put(name, bytes(100));
      const reader = await open(
        {},
        {
          open: async (path, flags, mode) => {
            const file = await calls.open(path, flags, mode);
            await truncate(join(root, name), 100);
            return { ...file, read: () => Promise.resolve({ bytesRead: 0 }) };
          },
        },
      );
      await expectCode(reader.get(name), 'storage.corrupt');
      await expectCode(reader.getRange(name, 50, 10), 'storage.corrupt');
    });
  });

  describe('what a crash or a stranger left', () => {
    it('is never listed, read or counted', async () => {
      const storage = await open();
      await storage.put(name, bytes(100));
      for (const each of [leftover, 'lost+found', 'README.TXT', '.DS_Store']) {
        await writeFile(join(root, 'packs/ab', each), 'x');
      }
      expect(await names(storage.list(''))).toEqual([name]);
      await failure(storage.get(`packs/ab/${leftover}`));
    });

    it('is removed when it is old, where something is written', async () => {
      const clock = new FakeClock(Date.UTC(2030, 0, 1));
      for (const [each, hours] of [
        ['packs/ab', 25],
        ['packs/cd', 23],
        ['', 30],
      ] as const) {
        await mkdir(join(root, each), { recursive: true });
        await writeFile(join(root, each, leftover), 'half a pack');
        const written = clock.now() / 1000 - hours * 3600;
        await utimes(join(root, each, leftover), written, written);
      }
      const storage = await open({ clock });
      expect((await readdir(root)).includes(leftover)).toBe(false);
      await storage.put('packs/ab/1', bytes(1));
      await storage.put('packs/cd/1', bytes(1));
      expect(await readdir(join(root, 'packs/ab'))).toEqual(['1']);
      expect((await readdir(join(root, 'packs/cd'))).sort()).toEqual([leftover, '1'].sort());
      await storage.close();
    });

    for (const line of [
      'sync packs/ab/TEMP',
      'link packs/ab/TEMP packs/ab/one',
      'unlink packs/ab/TEMP',
      'sync packs/ab',
    ]) {
      it(`is mended by the next process after a death at "${line}"`, async () => {
        const storage = await open();
        const dead = new Error('the process died');
        let died = false;
        files.play = (each) => {
          died ||= each === line;
          if (died) throw dead;
        };
        await failure(storage.put(name, bytes(100)));
        files.play = () => undefined;
        const next = await open({ access: 'write' });
        expect(['created', 'exists']).toContain(await next.put(name, bytes(100)));
        expect(equalBytes(await next.get(name), bytes(100))).toBe(true);
        expect(await names(next.list(''))).toEqual([name]);
      });
    }

    it('is a conflict when it has the name and other bytes', async () => {
      const storage = await open();
      await mkdir(join(root, 'packs/ab'), { recursive: true });
      await writeFile(join(root, name), bytes(99));
      await expectCode(storage.put(name, bytes(100)), 'storage.conflict');
      expect(equalBytes(await readFile(join(root, name)), bytes(99))).toBe(true);
      expect(await onDisk()).toEqual(['one']);
    });

    it('is not followed when it is a link', async () => {
      const storage = await open();
      const outside = join(folder.path, 'outside');
      await mkdir(outside);
      await writeFile(join(outside, 'one'), 'secret');
      await mkdir(join(root, 'packs'));
      await symlink(outside, join(root, 'packs/ab'));
      await symlink(join(outside, 'one'), join(root, 'packs/link'));
      await expectCode(storage.get(name), 'storage.refused');
      await expectCode(storage.put('packs/ab/two', bytes(1)), 'storage.refused');
      await expectCode(storage.delete(name), 'storage.refused');
      await expectCode(storage.get('packs/link'), 'storage.refused');
      await expectCode(storage.put('packs/link', bytes(1)), 'storage.refused');
      expect(await names(storage.list(''))).toEqual([]);
      expect(await readdir(outside)).toEqual(['one']);
    });
  });

  describe('the root', () => {
    it('may itself be a link', async () => {
      await mkdir(join(folder.path, 'real'));
      await symlink(join(folder.path, 'real'), root);
      const storage = await open({ access: 'write' });
      await storage.put(name, bytes(100));
      expect(await readdir(join(folder.path, 'real'))).toEqual(['packs']);
    });

    it('must exist unless it is to be made, and its parent must', async () => {
      await expectCode(open({ access: 'write' }), 'storage.unavailable');
      await expectCode(openFilesystemStorage(join(root, 'a/b'), { access: 'create' }), 'storage.unavailable');
    });

    it('is not taken for empty when it vanishes', async () => {
      const storage = await open();
      await storage.put(name, bytes(100));
      await rm(root, { recursive: true });
      for (const call of [
        () => storage.get(name),
        () => storage.head(name),
        () => names(storage.list('')),
        () => names(storage.list('packs/')),
        () => storage.folders('packs/'),
        () => storage.delete(name),
        () => storage.put('packs/ab/two', bytes(1)),
        () => storage.barrier([name]),
      ]) {
        await expectCode(call(), 'storage.unavailable');
      }
    });

    it('is not taken for empty when its disk is unmounted, nor written to', async () => {
      let device = 1n;
      const calls = files.calls();
      const storage = await open(
        {},
        {
          stat: async (path) => Object.assign(await calls.stat(path), { dev: device }),
        },
      );
      await storage.put(name, bytes(100));
      await rm(join(root, 'packs'), { recursive: true });
      device = 2n;
      await expectCode(storage.get(name), 'storage.unavailable');
      await expectCode(names(storage.list('')), 'storage.unavailable');
      await expectCode(storage.put(name, bytes(100)), 'storage.unavailable');
      expect(await readdir(root)).toEqual([]);
    });
  });

  it('makes a folder again that a deletion removed because it was empty', async () => {
    const storage = await open();
    await storage.put(name, bytes(100));
    await storage.delete(name);
    expect(await readdir(root)).toEqual([]);
    await storage.put(name, bytes(100));
    await rm(join(root, 'packs'), { recursive: true });
    expect(await storage.put(name, bytes(100))).toBe('created');
  });

  it('tells a folder that may not be read instead of leaving it out', async () => {
    const calls = files.calls();
    const storage = await open(
      {},
      {
        opendir: (path) => (path.endsWith('ab') ? Promise.reject(systemError('EACCES')) : calls.opendir(path)),
      },
    );
    await mkdir(join(root, 'packs/ab'), { recursive: true });
    await chmod(join(root, 'packs/ab'), 0o700);
    await expectCode(names(storage.list('')), 'storage.refused');
    await expectCode(storage.folders('packs/'), 'storage.refused');
  });
});
