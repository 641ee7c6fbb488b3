import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOsLocks } from '../../src/core/os-lock-helper.ts';
import type { OsLocks } from '../../src/core/os-lock.ts';

let folder: string;
let file: string;
let locks: OsLocks;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nestegg-lock-'));
  file = join(folder, 'a file\nwith "odd" ünicode');
  await writeFile(file, '');
  locks = createOsLocks();
});

afterEach(async () => {
  await locks.close();
  await rm(folder, { recursive: true });
});

/** Whether flock(1), a process of its own, gets the lock. */
function flockGets(path: string, mode: 'shared' | 'exclusive'): boolean {
  return spawnSync('flock', ['--nonblock', `--${mode}`, path, 'true']).status === 0;
}

const lockProgram = String.raw`
use Fcntl; open(my $f, '+<', $ARGV[0]) or die;
my $ok = fcntl($f, F_SETLK, pack('s s x!8 q q i x!8', $ARGV[1] eq 'exclusive' ? F_WRLCK : F_RDLCK, 0, 0, 0, 0));
$| = 1; print $ok ? "held\n" : "busy\n"; <STDIN>;
`;

/** Whether a POSIX record lock, as PBS takes it, is granted to another process. */
function fcntlGets(path: string, mode: 'shared' | 'exclusive'): boolean {
  const { stdout } = spawnSync('perl', ['-e', lockProgram, path, mode], { encoding: 'utf8', input: '' });
  return stdout === 'held\n';
}

/** Another process that holds a POSIX record lock until `end` is called. */
async function holdFcntl(path: string, mode: 'shared' | 'exclusive'): Promise<{ end(): Promise<void> }> {
  const child = spawn('perl', ['-e', lockProgram, path, mode], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [answer] = (await once(child.stdout, 'data')) as [Buffer];
  expect(answer.toString()).toBe('held\n');
  return {
    end: async () => {
      child.stdin.end();
      await once(child, 'close');
    },
  };
}

describe('flock', () => {
  it('excludes other processes until it is released', async () => {
    const lock = await locks.acquire(file, 'exclusive');
    expect(flockGets(file, 'shared')).toBe(false);
    await lock?.release();
    expect(flockGets(file, 'exclusive')).toBe(true);
  });

  it('shared admits others that share', async () => {
    const lock = await locks.acquire(file, 'shared');
    expect(flockGets(file, 'shared')).toBe(true);
    expect(flockGets(file, 'exclusive')).toBe(false);
    await lock?.release();
  });

  it('locks folders', async () => {
    await mkdir(join(folder, 'snapshot'));
    await locks.acquire(join(folder, 'snapshot'), 'shared');
    expect(flockGets(join(folder, 'snapshot'), 'exclusive')).toBe(false);
  });

  it('is refused at once while another process holds it', async () => {
    const child = spawn('flock', [file, 'sh', '-c', 'echo held; read line'], { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect(await locks.acquire(file, 'shared')).toBeUndefined();
    child.stdin.end();
    await once(child, 'close');
    expect(await locks.acquire(file, 'shared')).toBeDefined();
  });

  it('conflicts within one process too', async () => {
    await locks.acquire(file, 'exclusive');
    expect(await locks.acquire(file, 'shared')).toBeUndefined();
  });

  it('tells which file it locked', async () => {
    const lock = await locks.acquire(file, 'exclusive');
    const status = await stat(file, { bigint: true });
    expect([lock?.device, lock?.inode]).toEqual([status.dev, status.ino]);
  });
});

describe('fcntl', () => {
  it('keeps POSIX locks of other processes out', async () => {
    const lock = await locks.acquire(file, 'shared', 'fcntl');
    expect(fcntlGets(file, 'shared')).toBe(true);
    expect(fcntlGets(file, 'exclusive')).toBe(false);
    await lock?.release();
    expect(fcntlGets(file, 'exclusive')).toBe(true);
  });

  it('is refused while another process holds a POSIX lock', async () => {
    const holder = await holdFcntl(file, 'exclusive');
    expect(await locks.acquire(file, 'shared', 'fcntl')).toBeUndefined();
    await holder.end();
    expect(await locks.acquire(file, 'exclusive', 'fcntl')).toBeDefined();
  });

  it('has nothing to do with flock', async () => {
    await locks.acquire(file, 'exclusive', 'fcntl');
    expect(flockGets(file, 'exclusive')).toBe(true);
  });

  it('survives that another lock of the same file is released', async () => {
    await locks.acquire(file, 'shared', 'fcntl');
    const second = await locks.acquire(file, 'shared', 'fcntl');
    await second?.release();
    expect(fcntlGets(file, 'exclusive')).toBe(false);
  });
});

describe('the helper', () => {
  it('answers many requests in any mixture', async () => {
    const paths = Array.from({ length: 100 }, (_, at) => join(folder, String(at)));
    await Promise.all(paths.map((path) => writeFile(path, '')));
    const all = await Promise.all(paths.map((path) => locks.acquire(path, 'exclusive')));
    expect(all.map((lock) => lock?.path)).toEqual(paths);
    for (const lock of all) await lock?.release();
    await all[0]?.release();
    expect(flockGets(paths[0] ?? '', 'exclusive')).toBe(true);
  });

  it('releases everything when it is closed, and starts no more', async () => {
    await locks.acquire(file, 'exclusive');
    await locks.close();
    expect(flockGets(file, 'exclusive')).toBe(true);
    await expect(locks.acquire(file, 'shared')).rejects.toMatchObject({ code: 'internal' });
  });

  it('reports a file that cannot be opened', async () => {
    await expect(locks.acquire(join(folder, 'missing'), 'shared')).rejects.toMatchObject({
      code: 'lock.failed',
      message: expect.stringContaining('No such file') as string,
    });
    expect(await locks.acquire(file, 'shared')).toBeDefined();
  });

  it('says what to install where perl is missing', async () => {
    const without = createOsLocks({ command: join(folder, 'no-perl') });
    await expect(without.acquire(file, 'shared')).rejects.toMatchObject({
      code: 'lock.failed',
      hint: 'Install perl (Debian: apt install perl-base).',
    });
    await without.close();
  });

  /** A process that takes the lock and says so. */
  const owner = `
    import { createOsLocks } from ${JSON.stringify(new URL('../../src/core/os-lock-helper.ts', import.meta.url).href)};
    await createOsLocks().acquire(process.argv[1], 'exclusive');
    console.log('held');
    if (process.argv[2] === 'stay') process.stdin.resume();
  `;
  const run = (stay: string) =>
    spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', owner, file, stay], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });

  it('dies with its owner, however that dies', async () => {
    const child = run('stay');
    await once(child.stdout, 'data');
    expect(flockGets(file, 'exclusive')).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'close');
    // The helper ends as soon as it sees the end of its input: flock waits for that.
    expect(spawnSync('flock', ['--timeout', '10', file, 'true']).status).toBe(0);
  });

  it('does not keep its owner alive', async () => {
    const child = run('go');
    child.stdin.end();
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(0);
  });

  it('tells its locks when it was killed, and is started again', async () => {
    const lock = await locks.acquire(folder, 'exclusive');
    const helper = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'perl\n');
    const lost = new Promise((resolve) => lock?.lost.addEventListener('abort', resolve, { once: true }));
    process.kill(Number(helper), 'SIGKILL');
    await lost;
    expect(flockGets(folder, 'exclusive')).toBe(true);
    await lock?.release();
    expect(await locks.acquire(folder, 'exclusive')).toBeDefined();
  });
});
