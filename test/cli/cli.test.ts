import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { estimateMs, progressText } from '../../src/cli/progress-line.ts';
import { parseRepositoryUrl } from '../../src/cli/repository-url.ts';
import { queued, startApi } from '../daemon/api/api.fixture.ts';
import { makePlace, password, type Place } from './cli.fixture.ts';

let place: Place;
const closing: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  place = await makePlace();
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await place.remove();
});

async function withDaemon() {
  await mkdir(place.state, { mode: 0o700 });
  const api = await startApi({ type: 'socket' });
  await api.app.listen({ path: join(place.state, 'api.sock') });
  closing.push(() => api.app.close());
  return api;
}

describe('the command line', () => {
  it.each([
    ['an unknown command', ['frobnicate'], 2],
    ['an unknown option', ['run', 'datacenter', '--fast'], 2],
    ['a missing argument', ['run'], 2],
    ['a wrong priority', ['run', 'datacenter', '--priority', 'highest'], 2],
    ['a wrong share', ['check', '--read', '200%', '--repository', 'nas'], 2],
    ['a part that is not built', ['gc', '--dry-run'], 2],
    ['a subcommand that is not built', ['key', 'add'], 2],
    ['a missing configuration', ['--config', '/nowhere.yml', 'config', 'check'], 2],
    ['several repositories', ['check'], 2],
    ['help', ['--help'], 0],
    ['the version', ['--version'], 0],
  ])('answers %s by its exit code', async (_name, args, code) => {
    const ran = await place.run(args);
    expect([ran.code, ran.err]).toEqual([code, code === 0 ? '' : expect.stringMatching(/./)]);
    expect(ran.err).not.toContain('    at ');
  });

  it('says what is wrong, what to do, and the code', async () => {
    const { code, out, err } = await place.run(['tasks']);
    expect([code, out]).toEqual([1, '']);
    const path = join(place.state, 'api.sock');
    expect(err).toBe(
      `nestegg: the daemon does not answer at ${path}: connect ENOENT ${path}\n` +
        '  hint: Start it (`nestegg daemon`), or let this command do the work itself with `--direct`.\n' +
        '  code: daemon.unreachable\n',
    );
  });

  it('says the same as JSON', async () => {
    const { code, out, err } = await place.run(['run', 'typo', '--direct', '--json']);
    expect([code, out]).toEqual([4, '']);
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'not-found', hint: 'There are: datacenter.' } });
  });

  it('takes global options before and after the command', async () => {
    await withDaemon();
    const before = await place.run(['--json', 'tasks']);
    const after = await place.run(['tasks', '--json']);
    expect(before).toEqual(after);
    expect(JSON.parse(before.out)).toMatchObject({ id: queued.id });
  });
});

describe('with a daemon', () => {
  it('run enqueues', async () => {
    const { service } = await withDaemon();
    const ran = await place.run([
      'run',
      'datacenter',
      '--to',
      'nas',
      '--group',
      'type:vm',
      '--priority',
      '-3',
      '--full',
    ]);
    expect(ran).toEqual({ code: 0, out: `Queued as task ${queued.id} (backup datacenter)\n`, err: '' });
    expect(service.asked[0]?.request).toEqual({
      kind: 'backup',
      backup: 'datacenter',
      to: ['nas'],
      groups: ['type:vm'],
      priority: -3,
      full: true,
    });
    expect(service.asked[0]?.caller).toMatchObject({ name: 'socket', trigger: 'cli', local: true });
  });

  it('restore and check name their repository', async () => {
    const { service } = await withDaemon();
    await place.run(['restore', 'vm/100@latest', '--repository', 'nas', '--into-datastore', '/back']);
    await place.run(['check', '--read', '5%', '--repository', 'disk']);
    expect(service.asked.map(({ request }) => request)).toEqual([
      {
        kind: 'restore',
        repository: 'nas',
        snapshots: ['vm/100@latest'],
        target: { type: 'datastore', directory: '/back' },
      },
      { kind: 'check', repository: 'disk', mode: 'data', share: 0.05 },
    ]);
  });

  it('lists', async () => {
    process.env['TZ'] = 'UTC';
    await withDaemon();
    expect((await place.run(['queue'])).out).toBe('Nothing runs and nothing waits.\n');
    expect((await place.run(['tasks'])).out).toBe(
      'TASK                        STATE   WHAT               STARTED  TOOK  STORED  BY\n' +
        '01j00000000000000000000001  Queued  backup datacenter  -                      api\n',
    );
    const snapshots = await place.run(['snapshots', '--repository', 'nas']);
    expect(snapshots.out).toBe(
      'ID            GROUP   TIME                     SIZE  COMMITTED            OFF-SITE  BACKUP\n' +
        'aaaaaaaaaaaa  vm/100  2023-11-14 22:13:20  4.00 KiB  2023-11-14 22:13:21  -         datacenter\n',
    );
    const json = await place.run(['snapshots', '--repository', 'nas', '--json']);
    expect(JSON.parse(json.out)).toMatchObject({ id: 'a'.repeat(32), committedMs: 1_700_000_001_000 });
  });

  it('passes on what the daemon refuses', async () => {
    await withDaemon();
    const wrong = await place.run(['run', 'wrong']);
    expect([wrong.code, wrong.err]).toEqual([2, 'nestegg: there is no such backup\n  code: usage\n']);
    const missing = await place.run(['tasks', 'show', '01other0000000000']);
    expect([missing.code, missing.err]).toContain(4);
  });

  it('never lets a name steer the terminal', async () => {
    const { service } = await withDaemon();
    service.task = async () => ({ ...queued, repositories: ['a\u001b[2J\u202eb'] });
    const { out } = await place.run(['tasks', 'show', queued.id]);
    expect(out).toContain('a\u{FFFD}[2J\u{FFFD}b');
  });
});

describe('config', () => {
  it('check finds all errors with their places', async () => {
    expect(await place.run(['config', 'check'])).toMatchObject({ code: 0, err: '' });
    await writeFile(place.config, 'devise: x\nrepositories: { nas: { type: filesystem } }\n');
    const { code, out, err } = await place.run(['config', 'check']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(`${place.config}:1:1`);
    const json = await place.run(['config', 'check', '--json']);
    expect(JSON.parse(json.out.split('\n')[0] ?? '')).toMatchObject({ code: 'config.invalid', line: 1, column: 1 });
  });

  it('show tells values and origins, never a secret', async () => {
    const { out } = await place.run(['config', 'show']);
    expect(out).toContain('daemon.concurrency');
    expect(out).not.toContain(password);
  });

  it('schema is JSON Schema', async () => {
    const { out } = await place.run(['config', 'schema']);
    expect(JSON.parse(out)).toMatchObject({ type: 'object' });
  });
});

describe('repositories by URL', () => {
  it.each([
    ['file:///mnt/a%20b', { type: 'filesystem', path: '/mnt/a b' }],
    ['s3://host/bucket', { type: 's3', endpoint: 'https://host', bucket: 'bucket', prefix: '' }],
    ['s3+http://h:9/b/p/q/', { type: 's3', endpoint: 'http://h:9', bucket: 'b', prefix: 'p/q/' }],
  ])('%s', (url, location) => {
    expect(parseRepositoryUrl(url, {})).toEqual(location);
  });

  it.each([
    'file://host/path',
    's3://host',
    's3:///bucket',
    'http://host/bucket',
    's3://key:secret@host/bucket',
    'nas',
  ])('%s is refused', (url) => {
    expect(() => parseRepositoryUrl(url, {})).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('say when there is no repository, and no password', async () => {
    const url = `file://${place.folder}/empty`;
    await mkdir(join(place.folder, 'empty'));
    const none = await place.run(['snapshots', '--repository', url], { env: { NESTEGG_PASSWORD: 'x' } });
    expect([none.code, none.err]).toEqual([10, expect.stringContaining('repository.missing')]);
    const keyless = await place.run(['snapshots', '--repository', url], { env: {} });
    expect([keyless.code, keyless.err]).toEqual([2, expect.stringContaining('NESTEGG_PASSWORD')]);
  });
});

describe('progress', () => {
  const progress = {
    phase: 'read',
    doneBytes: 50 * 2 ** 20,
    totalBytes: 100 * 2 ** 20,
    doneItems: 1,
    totalItems: 2,
    uploadedBytes: 2 ** 20,
    bytesPerSecond: 5 * 2 ** 20,
  };

  it('estimates only what the figures carry', () => {
    expect(estimateMs(progress, 10_000)).toBe(10_000);
    expect(estimateMs(progress, 5_000)).toBeUndefined();
    expect(estimateMs({ ...progress, doneBytes: 1 }, 10_000)).toBeUndefined();
    expect(estimateMs({ ...progress, bytesPerSecond: 2 ** 20 }, 10_000)).toBeUndefined();
    const { totalBytes: _, ...unknown } = progress;
    expect(estimateMs(unknown, 10_000)).toBeUndefined();
  });

  it('is one line', () => {
    expect(progressText({ ...progress, item: 'vm/100\u001b' }, 10_000)).toBe(
      'read · 50.0 MiB of 100 MiB (50 %) · 1 of 2 items · 5.00 MiB/s · 1.00 MiB stored · 10.0s left · vm/100\u{FFFD}',
    );
  });
});
