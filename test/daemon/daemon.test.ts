import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createOsLocks } from '../../src/core/os-lock-helper.ts';
import { systemRandom } from '../../src/core/random.ts';
import { connectSocket, type ApiClient } from '../../src/cli/api-client.ts';
import { followTask } from '../../src/cli/follow.ts';
import type {
  EndedTaskView,
  QueueView,
  RunAnswer,
  RunRequest,
  StatusView,
  TaskLog,
  TaskPage,
  TaskView,
} from '../../src/daemon/api/contract.ts';
import { loadConfig } from '../../src/daemon/config/load.ts';
import { openLog } from '../../src/daemon/log/log.ts';
import { Scrubber } from '../../src/daemon/log/scrubber.ts';
import { startDaemon, type Daemon } from '../../src/daemon/wiring.ts';

const password = 'a canary of a password';
/** The machine may be busy. */
const patience = { timeout: 25_000, interval: 50 };

let folder: string;
let state: string;
let file: string;
let lines: string[];
const closing: (() => Promise<unknown>)[] = [];

function configText(more = ''): string {
  return `
device: test
timezone: UTC
daemon: { listen: 127.0.0.1:0, state: ${state}, concurrency: 2 }
repositories:
  nas: { type: filesystem, path: ${join(folder, 'nas')}, password: { file: ${join(folder, 'password')} } }
  disk: { type: filesystem, path: ${join(folder, 'disk')}, password: { file: ${join(folder, 'password')} } }
backups:
  obey:
    source: { type: pbs, datastore: ${join(folder, 'datastore')} }
    repositories: [nas]
    limits: { retries: 0 }
  work:
    source: { type: pbs, datastore: ${join(folder, 'datastore')} }
    repositories: [disk]
    limits: { retries: 0 }
  exit:
    source: { type: pbs, datastore: ${join(folder, 'datastore')} }
    repositories: [disk]
    limits: { retries: 0 }
${more}`;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nestegg-daemon-'));
  state = join(folder, 'state');
  file = join(folder, 'config.yml');
  lines = [];
  await mkdir(join(folder, 'datastore', '.chunks'), { recursive: true });
  await writeFile(join(folder, 'password'), `${password}\n`);
  await writeFile(file, configText());
  closing.push(() => rm(folder, { recursive: true }));
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  expect(lines.join('')).not.toContain(password);
});

/** The task process of these tests does what the name of the backup says. */
async function start(): Promise<Daemon> {
  const locks = createOsLocks();
  closing.push(() => locks.close());
  const scrubber = new Scrubber();
  const entry = { caller: import.meta.url, module: '../tasks/process/kinds.fixture' };
  const daemon = await startDaemon(await loadConfig(file, process.env), {
    clock: systemClock,
    random: systemRandom,
    locks,
    log: openLog({ level: 'debug', format: 'json' }, scrubber, { write: (line) => void lines.push(line) }),
    scrubber,
    environment: process.env,
    version: '0.1.0',
    uiFolder: '/nowhere',
    entries: { task: entry, reader: entry },
  });
  closing.push(() => daemon.stop());
  return daemon;
}

function client(): ApiClient {
  return connectSocket(join(state, 'api.sock'), '0.1.0');
}

function run(backup: string): RunRequest {
  return { kind: 'backup', backup };
}

async function ended(id: string): Promise<EndedTaskView> {
  const nothing = { progress: () => undefined, state: () => undefined };
  return followTask(client(), id, nothing, { clock: systemClock, signal: new AbortController().signal });
}

async function untilRunning(id: string): Promise<void> {
  await expect
    .poll(async () => (await client().get<TaskLog>(`/tasks/${id}/log`)).lines.length, patience)
    .toBeGreaterThan(0);
}

describe('a daemon', () => {
  it('runs what is asked for, and remembers it: status, history, log', async () => {
    await start();
    const before = await client().get<StatusView>('/status');
    expect(before.backups.map(({ name, state: word }) => [name, word])).toContainEqual(['work', 'never']);
    const { task } = await client().post<RunAnswer>('/tasks', run('work'));
    expect((await ended(task.id)).state).toBe('warning');
    const status = await client().get<StatusView>('/status');
    const backup = status.backups.find(({ name }) => name === 'work');
    expect(backup).toMatchObject({ state: 'warning', last: { task: task.id, kind: 'backup' } });
    expect(backup?.repositories).toMatchObject([{ repository: 'disk', state: 'warning' }]);
    expect(status.repositories.find(({ name }) => name === 'disk')).toMatchObject({
      kind: 'filesystem',
      state: 'warning',
    });
    const page = await client().get<TaskPage>('/tasks');
    expect(page.tasks.map(({ id }) => id)).toEqual([task.id]);
    const log = await client().get<TaskLog>(`/tasks/${task.id}/log`);
    expect(log.lines).toContainEqual(expect.objectContaining({ event: 'test.line', fields: { answer: 42 } }));
    const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'test.line', task: task.id, backup: 'work', trigger: 'cli', kind: 'backup' }),
    );
    expect(events.filter(({ event }) => event === 'task.ended')).toHaveLength(1);
  });

  it('survives a task that dies, and says what happened', async () => {
    await start();
    const { task } = await client().post<RunAnswer>('/tasks', run('exit'));
    const result = await ended(task.id);
    expect(result).toMatchObject({ state: 'failed', result: { problem: { code: 'task.crashed' } } });
    expect(await client().get<StatusView>('/status')).toMatchObject({ waiting: 0, running: [] });
  });

  it('merges, explains why a task waits, pauses, and cancels what waits and what runs', async () => {
    await start();
    const first = await client().post<RunAnswer>('/tasks', run('obey'));
    await untilRunning(first.task.id);
    const second = await client().post<RunAnswer>('/tasks', run('obey'));
    expect((await client().post<RunAnswer>('/tasks', run('obey'))).merged).toBe(true);
    const queue = await client().get<QueueView>('/queue');
    expect(queue.waiting).toMatchObject([
      { id: second.task.id, waiting: { reason: 'collision', task: first.task.id } },
    ]);
    await client().post('/queue/pause', { what: 'backup work' });
    const paused = await client().post<RunAnswer>('/tasks', run('work'));
    const held = await client().get<TaskView>(`/tasks/${paused.task.id}`);
    expect(held).toMatchObject({ state: 'queued', waiting: { reason: 'paused', what: 'backup work' } });
    await client().post(`/tasks/${paused.task.id}/cancel`, {});
    expect(await ended(paused.task.id)).toMatchObject({ state: 'cancelled' });
    await client().post(`/tasks/${second.task.id}/cancel`, {});
    await client().post(`/tasks/${first.task.id}/cancel`, {});
    expect(await ended(first.task.id)).toMatchObject({ state: 'cancelled' });
    await expect(client().post('/queue/pause', { what: 'backup typo' })).rejects.toMatchObject({ code: 'not-found' });
  });

  it('refuses what the configuration does not know', async () => {
    await start();
    await expect(client().post('/tasks', run('typo'))).rejects.toMatchObject({ code: 'not-found' });
    const elsewhere = { kind: 'backup', backup: 'work', to: ['nas'] };
    await expect(client().post('/tasks', elsewhere)).rejects.toMatchObject({ code: 'usage' });
    const full = { kind: 'backup', backup: 'work', full: true };
    await expect(client().post('/tasks', full)).rejects.toMatchObject({ code: 'usage' });
    await expect(client().get('/tasks/01nothere0000000000')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('interrupts what runs when it stops, and goes on with it at the next start', async () => {
    const daemon = await start();
    const { task } = await client().post<RunAnswer>('/tasks', run('obey'));
    await untilRunning(task.id);
    await daemon.stop();
    await expect(client().get('/status')).rejects.toMatchObject({ code: 'daemon.unreachable' });
    await start();
    expect(await client().get<TaskView>(`/tasks/${task.id}`)).toMatchObject({ state: 'interrupted' });
    const again = (await client().get<TaskPage>('/tasks')).tasks.find(({ id }) => id !== task.id);
    expect(again).toMatchObject({ kind: 'backup', trigger: { kind: 'retry', detail: task.id } });
  });

  it('is alone on its state directory', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({ code: 'state.locked' });
  });

  it('says which address is taken, and leaves the state directory to the next try', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    closing.push(() => new Promise((resolve) => other.close(resolve)));
    await once(other, 'listening');
    const address = `127.0.0.1:${String((other.address() as AddressInfo).port)}`;
    await writeFile(file, configText().replace('127.0.0.1:0', address));
    const error: unknown = await start().catch((refused: unknown) => refused);
    expect(error).toMatchObject({ code: 'daemon.address', message: expect.stringContaining(address) as string });
    await writeFile(file, configText());
    await start();
    expect((await client().get<StatusView>('/status')).running).toEqual([]);
  });

  it('keeps its secrets to itself: modes, status, log', async () => {
    const daemon = await start();
    expect((await stat(state)).mode & 0o777).toBe(0o700);
    expect((await stat(join(state, 'api.sock'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(state, 'token'))).mode & 0o777).toBe(0o600);
    const token = (await readFile(join(state, 'token'), 'utf8')).trim();
    const url = daemon.addresses.find((address) => address.startsWith('http'));
    const answer = await fetch(`${String(url)}/api/v1/status`, { headers: { authorization: `Bearer ${token}` } });
    const text = await answer.text();
    expect([answer.status, text.includes(password)]).toEqual([200, false]);
    expect(lines.join('')).not.toContain(token);
  });
});

describe('a changed configuration', () => {
  it('with errors changes nothing, and the status says why', async () => {
    const daemon = await start();
    await writeFile(file, configText('  new: { sauce: {} }\n'));
    await expect(daemon.reload()).rejects.toMatchObject({ code: 'config.invalid' });
    await expect(client().post('/config/reload', {})).rejects.toMatchObject({ code: 'config.invalid' });
    const { daemon: view, backups } = await client().get<StatusView>('/status');
    expect(view.configuration.problem?.message).toContain('sauce');
    expect(backups).toHaveLength(3);
  });

  it('moves no state directory and no address under a running daemon, and says what waits for the next start', async () => {
    const daemon = await start();
    const elsewhere = join(folder, 'elsewhere');
    await writeFile(file, configText().replace(`state: ${state}`, `state: ${elsewhere}`));
    await daemon.reload();
    const { task } = await client().post<RunAnswer>('/tasks', run('work'));
    expect((await ended(task.id)).state).toBe('warning');
    const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events).toContainEqual(expect.objectContaining({ event: 'config.needs-restart', keys: ['daemon.state'] }));
    expect(events).toContainEqual(expect.objectContaining({ event: 'test.state', directory: state }));
  });

  it('that is valid is in force at once; a running task keeps the old one', async () => {
    const daemon = await start();
    const { task } = await client().post<RunAnswer>('/tasks', run('obey'));
    await untilRunning(task.id);
    const datastore = join(folder, 'datastore');
    const added = `  new: { source: { type: pbs, datastore: ${datastore} }, repositories: [disk], schedules: [1h] }\n`;
    await writeFile(file, configText(added));
    await daemon.reload();
    const nextFire = async (): Promise<number> => {
      const { backups } = await client().get<StatusView>('/status');
      return backups.find(({ name }) => name === 'new')?.nextFireMs ?? 0;
    };
    await expect.poll(nextFire, patience).toBeGreaterThan(systemClock.now());
    const status = await client().get<StatusView>('/status');
    expect(status.running.map(({ id }) => id)).toEqual([task.id]);
  });
});
