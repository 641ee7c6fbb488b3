import { mkdir, rename, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { startTriggers } from '../../src/triggers/registry.ts';
import type { FolderWatch } from '../../src/triggers/folder-watch.ts';
import { PbsWatchHost } from '../../src/triggers/pbs-watch-host.ts';
import { PbsWatcher } from '../../src/triggers/pbs-watcher.ts';
import type { DatastoreScan } from '../../src/triggers/pbs-scan.ts';
import type { ScannedGroup } from '../../src/triggers/trigger.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { temporaryFolder } from '../support/state.ts';
import { TestServices } from '../support/trigger-services.ts';

const definition = { kind: 'pbs', id: 'p', datastore: '/ds', settle: { minMs: 30_000, maxMs: 120_000 } } as const;
const group = (name: string, ...finished: number[]): ScannedGroup => ({ name, finished });

async function begin(services: TestServices) {
  const triggers = startTriggers([definition], services);
  await services.clock.advance(1);
  const scanned = (...groups: ScannedGroup[]): void => services.scans.get('/ds')?.(groups);
  return { triggers, scanned };
}

describe('the pbs trigger', () => {
  it('fires once for all snapshots of one settle period', async () => {
    const services = new TestServices();
    const { triggers, scanned } = await begin(services);
    scanned(group('vm/100', 1, 2));
    await services.clock.advance(20_000);
    scanned(group('vm/100', 1, 2), group('a/b:ct/101', 5));
    await services.clock.advance(29_000);
    expect(services.fires).toEqual([]);
    await services.clock.advance(1_000);
    expect(services.fires).toEqual([{ id: 'p', kind: 'pbs', detail: '3 new snapshots in vm/100, a/b:ct/101' }]);
    scanned(group('vm/100', 2), group('a/b:ct/101', 5));
    await services.clock.advance(600_000);
    expect(services.fires).toHaveLength(1);
    await triggers.close();
    expect(services.scans.size).toBe(0);
    expect(services.clock.sleeping).toBe(0);
  });

  it('does not wait longer than the maximum when new ones keep coming', async () => {
    const services = new TestServices();
    const { triggers, scanned } = await begin(services);
    for (let n = 1; n <= 7; n += 1) {
      scanned(group('vm/1', ...Array.from({ length: n }, (_, time) => time)));
      await services.clock.advance(20_000);
    }
    expect(services.fires.map(({ detail }) => detail)).toEqual(['6 new snapshots in vm/1']);
    await services.clock.advance(30_000);
    expect(services.fires.map(({ detail }) => detail)).toEqual(['6 new snapshots in vm/1', '1 new snapshot in vm/1']);
    await triggers.close();
  });

  it('remembers over restarts what it fired for, and nothing else', async () => {
    const services = new TestServices();
    const first = await begin(services);
    first.scanned(group('vm/1', 1));
    await services.clock.advance(31_000);
    first.scanned(group('vm/1', 1, 2));
    await first.triggers.close();
    const second = await begin(services);
    second.scanned(group('vm/1', 1, 2));
    await services.clock.advance(31_000);
    expect(services.fires.map(({ detail }) => detail)).toEqual(['1 new snapshot in vm/1', '1 new snapshot in vm/1']);
    second.scanned(group('vm/1', 2), group('vm/2'));
    await services.clock.advance(300_000);
    expect(services.fires).toHaveLength(2);
    await second.triggers.close();
  });

  it('fires again when the request was not taken', async () => {
    const services = new TestServices();
    const { triggers, scanned } = await begin(services);
    services.failingFires = 2;
    scanned(group('vm/1', 1));
    await services.clock.advance(31_000);
    scanned(group('vm/1', 1, 2));
    await services.clock.advance(100_000);
    expect(services.fires.map(({ detail }) => detail)).toEqual(['2 new snapshots in vm/1']);
    await triggers.close();
  });

  it('forgets a snapshot that was removed before it fired', async () => {
    const services = new TestServices();
    const { triggers, scanned } = await begin(services);
    scanned(group('vm/1', 1));
    scanned(group('vm/1'));
    await services.clock.advance(600_000);
    expect(services.fires).toEqual([]);
    await triggers.close();
  });
});

class FakeFolders implements FolderWatch {
  watched: readonly string[] = [];
  hint: () => void = () => undefined;
  fault: (text: string) => void = () => undefined;
  closed = false;
  watch(folders: readonly string[]): boolean {
    const changed = folders.join() !== this.watched.join();
    this.watched = folders;
    return changed;
  }
  onHint(hint: () => void): void {
    this.hint = hint;
  }
  onFault(fault: (text: string) => void): void {
    this.fault = fault;
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

describe('the watcher of a datastore', () => {
  it('scans every five minutes, again once new folders are watched, soon after a hint, often while a backup runs or watching fails', async () => {
    const clock = new FakeClock();
    const folders = new FakeFolders();
    const scans: number[] = [];
    const problems: (string | undefined)[] = [];
    const scan: DatastoreScan = { groups: [], folders: ['/ds/vm', '/ds/vm/1'], unfinished: 0 };
    let answer: DatastoreScan | Error = scan;
    const watcher = new PbsWatcher('/ds', {
      ...{ clock, folders },
      scanner: {
        scan: async () => {
          scans.push(clock.monotonic() / 1000);
          if (answer instanceof Error) throw answer;
          return answer;
        },
      },
      scanned: () => undefined,
      problem: (text) => problems.push(text),
    });
    await clock.advance(299_000);
    expect(scans.splice(0)).toEqual([0, 3]);
    expect(folders.watched).toEqual(['/ds/vm', '/ds/vm/1']);
    await clock.advance(5_000);
    expect(scans.splice(0)).toEqual([303]);
    answer = { ...scan, unfinished: 1 };
    folders.hint();
    folders.hint();
    await clock.advance(33_000);
    expect(scans.splice(0)).toEqual([306, 321, 336]);
    answer = scan;
    folders.fault('no more watches');
    await clock.advance(62_000);
    expect(scans.splice(0)).toEqual([339, 399]);
    answer = new Error('there is no datastore');
    await clock.advance(120_000);
    expect(scans.splice(0)).toEqual([459, 519]);
    expect(problems).toEqual(['no more watches', 'there is no datastore']);
    await watcher.close();
    expect(folders.closed).toBe(true);
    expect(clock.sleeping).toBe(0);
  });
});

describe('the watch process', () => {
  it('tells of a snapshot that appears, comes back after a crash, and ends with its host', async () => {
    const folder = await temporaryFolder();
    const snapshot = `${folder.path}/vm/100/2024-06-05T14:24:36Z`;
    await mkdir(`${folder.path}/.chunks`);
    await mkdir(`${folder.path}/vm/100`, { recursive: true });
    const host = new PbsWatchHost({ ...systemClock, sleep: async () => undefined }, silentLogger);
    const seen: string[] = [];
    let notify: () => void = () => undefined;
    const until = async (text: string): Promise<void> => {
      while (!seen.includes(text)) await new Promise<void>((resolve) => (notify = resolve));
    };
    const unwatch = host.watch(folder.path, (groups) => {
      seen.push(groups.map(({ name, finished }) => `${name} ${finished.join(' ')}`).join());
      notify();
    });
    await until('vm/100 ');
    const crashed = host.pid;
    await mkdir(snapshot);
    await writeFile(`${snapshot}/index.json.tmp`, 'x');
    await rename(`${snapshot}/index.json.tmp`, `${snapshot}/index.json.blob`);
    await until('vm/100 1717597476');
    seen.length = 0;
    process.kill(crashed ?? 0, 'SIGKILL');
    await until('vm/100 1717597476');
    expect(host.pid).not.toBe(crashed);
    unwatch();
    await host.close();
    expect(host.pid).toBeUndefined();
    await folder.remove();
  });
});
