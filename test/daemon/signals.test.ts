/** The program itself, with real signals: what a service manager does to it. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { connectSocket, socketPath, type ApiClient } from '../../src/cli/api-client.ts';
import { followTask } from '../../src/cli/follow.ts';
import { systemClock } from '../../src/core/clock.ts';
import { forkProcess } from '../../src/core/entry.ts';
import type { RunAnswer, SnapshotPage, TaskPage, TaskView } from '../../src/daemon/api/contract.ts';
import { generateDatastore } from '../support/datastore/generator.ts';
import { makePlace, type Place } from '../cli/cli.fixture.ts';

/** The machine may be busy. */
const patience = { timeout: 25_000, interval: 50 };

let place: Place;
let client: ApiClient;
const children: ChildProcess[] = [];

beforeEach(async () => {
  place = await makePlace();
  client = connectSocket(socketPath(place.state), '0.1.0');
  const disk = { name: 'drive-scsi0', sizeBytes: 8 * 2 ** 20, changed: 0.5 };
  await generateDatastore(join(place.folder, 'datastore'), {
    seed: 'signals',
    machines: [{ type: 'vm', id: '100', snapshots: 2, disks: [disk] }],
  });
  await place.run(['--repository', 'nas', 'repository', 'init']);
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await place.remove();
});

async function daemon(): Promise<ChildProcess> {
  const child = forkProcess(import.meta.url, '../../src/cli/main', ['--config', place.config, '--json', 'daemon'], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  children.push(child);
  await expect.poll(() => client.get('/status').catch(() => undefined), patience).toBeDefined();
  return child;
}

async function runningBackup(): Promise<string> {
  const { task } = await client.post<RunAnswer>('/tasks', { kind: 'backup', backup: 'datacenter', to: ['nas'] });
  const state = async (): Promise<string> => (await client.get<TaskView>(`/tasks/${task.id}`)).state;
  await expect.poll(state, patience).toBe('running');
  return task.id;
}

/** The exit code after `signal`. */
async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<unknown> {
  const exit = once(child, 'exit');
  child.kill(signal);
  return (await exit)[0];
}

async function endOfRetry(of: string): Promise<string> {
  const { tasks } = await client.get<TaskPage>('/tasks');
  const retry = tasks.find(({ trigger }) => trigger.kind === 'retry' && trigger.detail === of);
  expect(retry).toBeDefined();
  const nothing = { progress: () => undefined, state: () => undefined };
  const world = { clock: systemClock, signal: new AbortController().signal };
  return (await followTask(client, retry?.id ?? '', nothing, world)).state;
}

it(
  'SIGTERM while a backup runs: the daemon ends in time and in order, and the next one makes the backup',
  { timeout: 90_000 },
  async () => {
    const first = await daemon();
    const task = await runningBackup();
    const startedMs = systemClock.monotonic();
    expect(await ended(first, 'SIGTERM')).toBe(0);
    expect(systemClock.monotonic() - startedMs).toBeLessThan(20_000);
    await daemon();
    expect(await client.get<TaskView>(`/tasks/${task}`)).toMatchObject({ state: 'interrupted' });
    expect(await endOfRetry(task)).toBe('done');
    const { snapshots } = await client.get<SnapshotPage>('/repositories/nas/snapshots');
    expect(snapshots).toHaveLength(2);
  },
);
