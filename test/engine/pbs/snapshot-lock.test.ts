import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOsLocks } from '../../../src/core/os-lock-helper.ts';
import type { OsLocks } from '../../../src/core/os-lock.ts';
import { systemRandom } from '../../../src/core/random.ts';
import { createDatastore } from '../../../src/engine/pbs/datastore-writer/create-datastore.ts';
import { SnapshotPublisher } from '../../../src/engine/pbs/datastore-writer/snapshot-publisher.ts';
import { openDatastore } from '../../../src/engine/pbs/datastore.ts';
import { snapshotFolder, type SnapshotName } from '../../../src/engine/pbs/layout.ts';
import {
  DatastoreLocks,
  lockFileName,
  type HeldLock,
  type LockAttempt,
} from '../../../src/engine/pbs/snapshot-lock.ts';

const snapshot: SnapshotName = {
  namespace: 'a/b',
  type: 'vm',
  id: '100',
  timeSeconds: Date.UTC(2022, 4, 2, 8, 11, 33) / 1000,
};
const snapshotLock = String.raw`locks/main/a:b/vm-100-2022\x2d05\x2d02T08\x3a11\x3a33Z`;
const groupLock = 'locks/main/a:b/vm-100';

let base: string;
let run: string;
let folder: string;
let os: OsLocks;
let locks: DatastoreLocks;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'nestegg-locks-'));
  run = join(base, 'run');
  const store = join(base, 'store');
  folder = join(store, snapshotFolder(snapshot));
  await createDatastore(store, { chunkFolders: 'none' });
  await mkdir(run);
  await mkdir(folder, { recursive: true });
  os = createOsLocks();
  locks = new DatastoreLocks({ os, datastore: { path: store, name: 'main' }, runDirectory: run });
});

afterEach(async () => {
  await os.close();
  await rm(base, { recursive: true });
});

function flockGets(path: string, mode: 'shared' | 'exclusive'): boolean {
  return spawnSync('flock', ['--nonblock', `--${mode}`, path, 'true']).status === 0;
}

/** Another process that holds a flock, as a task of PBS does, while `use` runs. */
async function whileHeld(path: string, mode: 'shared' | 'exclusive', use: () => Promise<void>): Promise<void> {
  const child = spawn('flock', [`--${mode}`, path, 'sh', '-c', 'echo held; read line'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  try {
    await use();
  } finally {
    child.stdin.end();
    await once(child, 'close');
  }
}

function held(attempt: LockAttempt): HeldLock {
  if (attempt.outcome !== 'held') throw new Error(`the lock was ${attempt.outcome}`);
  return attempt.lock;
}

describe('names of lock files', () => {
  const time = String.raw`2022\x2d05\x2d02T08\x3a11\x3a33Z`;
  it.each([
    ['', 'vm/100', 'vm-100'],
    ['', 'host/my-host', String.raw`host-my\x2dhost`],
    ['', 'vm/100/2022-05-02T08:11:33Z', `vm-100-${time}`],
    ['', 'vm/100/2022-05-02T08:11:33Z/.index.json.lck', `vm-100-${time}-.index.json.lck`],
    ['', '.x', String.raw`\x2ex`],
    ['a/b', 'ct/1', 'a:b/ct-1'],
  ])('%s %s', (namespace, object, name) => {
    expect(lockFileName(namespace, object)).toBe(name);
  });

  it('that are too long are hashed', () => {
    const object = `host/${'a-'.repeat(60)}`;
    const escaped = `host-${String.raw`a\x2d`.repeat(60)}`;
    expect(escaped.length).toBeGreaterThan(254);
    expect(lockFileName('n', object)).toMatch(/^n\/hashed\/host-(a\\x2d){15}\.\.\.(a\\x2d){16}-[0-9a-f]{64}$/);
    const limit = `host/${'a'.repeat(249)}`;
    expect(lockFileName('', limit)).toHaveLength(254);
    expect(lockFileName('', `${limit}a`)).toMatch(/^hashed\//);
  });
});

describe('locks of PBS 3.3.5 and later', () => {
  it('keep a prune away from a snapshot that is read', async () => {
    const lock = held(await locks.lockSnapshot(snapshot, 'shared'));
    expect(flockGets(join(run, snapshotLock), 'shared')).toBe(true);
    expect(flockGets(join(run, snapshotLock), 'exclusive')).toBe(false);
    await lock.release();
    expect(flockGets(join(run, snapshotLock), 'exclusive')).toBe(true);
  });

  it('are refused while PBS writes the snapshot or the group', async () => {
    await held(await locks.lockSnapshot(snapshot, 'shared')).release();
    await whileHeld(join(run, snapshotLock), 'exclusive', async () => {
      expect(await locks.lockSnapshot(snapshot, 'shared')).toEqual({ outcome: 'busy' });
    });
    await held(await locks.lockGroup(snapshot, 'exclusive')).release();
    await whileHeld(join(run, groupLock), 'shared', async () => {
      expect(await locks.lockGroup(snapshot, 'exclusive')).toEqual({ outcome: 'busy' });
      held(await locks.lockGroup(snapshot, 'shared'));
    });
  });

  it('are files that PBS can open', async () => {
    held(await locks.lockGroup(snapshot, 'exclusive'));
    for (const path of ['locks', 'locks/main', 'locks/main/a:b', groupLock]) {
      const status = await stat(join(run, path));
      if (process.getuid?.() !== 0) continue; // only root can give files away
      if (status.isFile()) expect(status.mode & 0o777).toBe(0o660);
      expect([path, status.uid, status.gid]).toEqual([path, 34, 34]);
    }
  });

  it('count only when the file is still the one at the path', async () => {
    await held(await locks.lockSnapshot(snapshot, 'shared')).release();
    const path = join(run, snapshotLock);
    let replaced = 0;
    const racing: OsLocks = {
      close: () => os.close(),
      acquire: async (file, mode, kind) => {
        const lock = await os.acquire(file, mode, kind);
        if (file === path && replaced++ < 2) {
          // PBS removes the lock file of a snapshot that it removed, here between open and flock.
          await rename(path, `${path}.gone`);
          if (replaced === 2) await writeFile(path, '');
        }
        return lock;
      },
    };
    const store = { path: join(base, 'store'), name: 'main' };
    const lock = held(
      await new DatastoreLocks({ os: racing, datastore: store, runDirectory: run }).lockSnapshot(snapshot, 'exclusive'),
    );
    expect(replaced).toBe(3);
    expect(flockGets(path, 'shared')).toBe(false);
    await lock.release();
  });

  it('are given up as busy when the file never stays', async () => {
    const path = join(run, snapshotLock);
    const racing: OsLocks = {
      close: () => os.close(),
      acquire: async (file, mode, kind) => {
        const lock = await os.acquire(file, mode, kind);
        if (file === path) await rm(path);
        return lock;
      },
    };
    const store = { path: join(base, 'store'), name: 'main' };
    const racer = new DatastoreLocks({ os: racing, datastore: store, runDirectory: run });
    expect(await racer.lockSnapshot(snapshot, 'shared')).toEqual({ outcome: 'busy' });
  });
});

describe('locks of earlier versions', () => {
  it.each(['with', 'without'])('are on the folders themselves, %s the marker of an upgraded host', async (marker) => {
    if (marker === 'with') await writeFile(join(run, 'old-locking'), '');
    const lock = held(await locks.lockSnapshot(snapshot, 'shared'));
    expect(flockGets(folder, 'exclusive')).toBe(false);
    await lock.release();
    await whileHeld(folder, 'exclusive', async () => {
      expect(await locks.lockSnapshot(snapshot, 'shared')).toEqual({ outcome: 'busy' });
    });
    // A refused lock leaves none of its parts behind.
    if (marker === 'without') expect(flockGets(join(run, snapshotLock), 'exclusive')).toBe(true);
    expect(await readdir(run)).toEqual(marker === 'with' ? ['old-locking'] : ['locks']);
  });

  it('of a snapshot that is gone are busy', async () => {
    await rm(folder, { recursive: true });
    expect(await locks.lockSnapshot(snapshot, 'shared')).toEqual({ outcome: 'busy' });
  });
});

describe('without PBS', () => {
  it('locks are unavailable, and nothing is created', async () => {
    await rm(run, { recursive: true });
    expect(await locks.lockSnapshot(snapshot, 'shared')).toMatchObject({ outcome: 'unavailable' });
    expect(await readdir(base)).toEqual(['store']);
  });

  it('locks are unavailable where the name of the datastore is not known', async () => {
    const nameless = new DatastoreLocks({
      os,
      datastore: { path: join(base, 'store'), name: undefined },
      runDirectory: run,
    });
    expect(await nameless.lockGroup(snapshot, 'shared')).toMatchObject({ outcome: 'unavailable' });
  });
});

/** What garbage collection does: takes a POSIX write lock, says so, and holds it until its input ends. */
const collect = String.raw`
use Fcntl; open(my $file, '+<', $ARGV[0]) or die;
my $lock = pack('s s x!8 q q i x!8', F_WRLCK, 0, 0, 0, 0);
$| = 1; print fcntl($file, F_SETLK, $lock) ? "started\n" : "refused\n"; <STDIN>`;

describe('the lock of writers', () => {
  const lockFile = () => join(base, 'store', '.lock');
  const tryCollection = () => spawnSync('perl', ['-e', collect, lockFile()], { input: '', encoding: 'utf8' }).stdout;

  it('keeps garbage collection from starting until it is released', async () => {
    expect(tryCollection()).toBe('started\n');
    const first = held(await locks.lockForWriting());
    const second = held(await locks.lockForWriting());
    await first.release();
    expect(tryCollection()).toBe('refused\n');
    await second.release();
    expect(tryCollection()).toBe('started\n');
  });

  it('is busy while garbage collection runs', async () => {
    const child = spawn('perl', ['-e', collect, lockFile()], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect(await locks.lockForWriting()).toEqual({ outcome: 'busy' });
    child.stdin.end();
    await once(child, 'close');
    held(await locks.lockForWriting());
  });

  it('is unavailable where the datastore has no lock file', async () => {
    await rm(lockFile());
    expect(await locks.lockForWriting()).toMatchObject({ outcome: 'unavailable' });
  });
});

describe('publishing', () => {
  const later = { ...snapshot, timeSeconds: snapshot.timeSeconds + 1 };
  const begin = async () =>
    SnapshotPublisher.begin({
      datastore: await openDatastore(join(base, 'store')),
      snapshot: later,
      locks,
      random: systemRandom,
      owner: 'root@pam\n',
    });

  it('holds the locks of group and snapshot until it ends', async () => {
    const publisher = await begin();
    expect(publisher.locked).toBe(true);
    expect(flockGets(join(run, groupLock), 'shared')).toBe(false);
    expect(flockGets(publisher.directory, 'shared')).toBe(false);
    await publisher.abandon();
    expect(flockGets(join(run, groupLock), 'exclusive')).toBe(true);
  });

  it('waits for PBS', async () => {
    await held(await locks.lockGroup(snapshot, 'shared')).release();
    await whileHeld(join(run, groupLock), 'exclusive', async () => {
      await expect(begin()).rejects.toMatchObject({ code: 'pbs.locked', retry: 'later' });
    });
    const store = await openDatastore(join(base, 'store'));
    const file = join(run, `${snapshotLock.slice(0, -3)}34Z`);
    await writeFile(file, '');
    await whileHeld(file, 'shared', async () => {
      await expect(begin()).rejects.toMatchObject({ code: 'pbs.locked' });
    });
    expect(await store.findSnapshot(later)).toBeUndefined();
    await (await begin()).abandon();
  });
});
