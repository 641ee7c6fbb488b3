import { mkdir, rm, writeFile } from 'node:fs/promises';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../../src/core/clock.ts';
import type { OsLock, OsLocks } from '../../../src/core/os-lock.ts';
import { groupKey, PbsDatastore, type PbsSourceOptions } from '../../../src/engine/sources/pbs.ts';
import { generateDatastore, snapshotOf } from '../../support/datastore/generator.ts';
import { folderOf, smallPlan } from '../../support/pbs-backup.ts';
import { temporaryFolder, type TemporaryFolder } from '../../support/temporary-folder.ts';

let folder: TemporaryFolder;
let datastore: string;
let held: Set<string>;
let busy: boolean;

/** Locks as one process sees them; `busy`: somebody else has all of them. */
const osLocks: OsLocks = {
  acquire: async (path) => {
    if (busy) return undefined;
    const { dev, ino } = statSync(path, { bigint: true });
    held.add(path);
    const lock: OsLock = {
      path,
      device: dev,
      inode: ino,
      lost: new AbortController().signal,
      release: async () => {
        held.delete(path);
      },
    };
    return lock;
  },
  close: async () => undefined,
};

beforeEach(async () => {
  folder = await temporaryFolder();
  datastore = join(folder.path, 'main');
  await generateDatastore(datastore, { ...smallPlan, machines: smallPlan.machines.slice(0, 2) });
  await mkdir(join(folder.path, 'run'));
  await writeFile(join(folder.path, 'datastore.cfg'), `datastore: store1\n\tpath ${datastore}\n`);
  held = new Set();
  busy = false;
});
afterEach(() => folder.remove());

function open(
  options: Partial<PbsSourceOptions> = {},
  clock: Clock = systemClock,
  device = 'pbs1',
): Promise<PbsDatastore> {
  return PbsDatastore.open(
    { type: 'pbs', datastore, ...options },
    {
      device,
      clock,
      osLocks,
      pbsRunDirectory: join(folder.path, 'run'),
      pbsConfigFile: join(folder.path, 'datastore.cfg'),
    },
  );
}

const [machine] = smallPlan.machines;
if (!machine) throw new Error('the plan has no machine');
const newest = snapshotOf(machine, 2);

describe('a PBS datastore as a source', () => {
  it('lists the groups that filters and namespaces select', async () => {
    const keys = async (options: Partial<PbsSourceOptions>): Promise<string[]> =>
      (await (await open(options)).list()).groups.map(({ group }) => groupKey(group));
    expect(await keys({})).toEqual(['|vm/100', 'customers/acme|ct/200']);
    expect(await keys({ namespaces: { depth: 0 } })).toEqual(['|vm/100']);
    expect(await keys({ namespaces: { root: 'customers' } })).toEqual(['customers/acme|ct/200']);
    expect(await keys({ exclude: ['type:vm'] })).toEqual(['customers/acme|ct/200']);
    expect(await keys({ include: ['group:vm/100'] })).toEqual(['|vm/100']);
    await expect(open({ include: ['group:nonsense'] })).rejects.toMatchObject({ code: 'config.invalid' });
  });

  it('has the name that PBS gives it, and an identity of machine and place', async () => {
    const source = await open();
    expect(source.datastoreName).toBe('store1');
    expect(source.identity).toHaveLength(16);
    expect((await open()).identity).toEqual(source.identity);
    expect((await open({}, systemClock, 'pbs2')).identity).not.toEqual(source.identity);
  });

  it('holds the locks of a snapshot while it is read', async () => {
    const opened = await (await open()).open(newest);
    if (opened.outcome !== 'open') throw new Error(opened.outcome);
    expect(held.size).toBeGreaterThan(0);
    await opened.item.release();
    await opened.item.release();
    expect(held.size).toBe(0);
  });

  it('gives the lock back when it was held for the longest time, and can still be read', async () => {
    let over: () => void = () => undefined;
    const clock: Clock = {
      ...systemClock,
      sleep: (ms) => {
        expect(ms).toBe(1234);
        return new Promise((resolve) => (over = resolve));
      },
    };
    const opened = await (await open({ lockMaxMs: 1234 }, clock)).open(newest);
    if (opened.outcome !== 'open') throw new Error(opened.outcome);
    over();
    await new Promise((resolve) => setImmediate(resolve));
    expect(held.size).toBe(0);
    expect(await opened.item.isThere()).toBe(true);
    expect(await opened.item.snapshot.readClientLog()).toBeDefined();
  });

  it('says busy, vanished and unfinished, and holds nothing then', async () => {
    const source = await open();
    busy = true;
    expect(await source.open(newest)).toEqual({ outcome: 'busy' });
    busy = false;
    await rm(join(folderOf(datastore, 'vm/100', 2), 'index.json.blob'));
    expect(await source.open(newest)).toEqual({ outcome: 'unfinished' });
    await rm(folderOf(datastore, 'vm/100', 2), { recursive: true });
    expect(await source.open(newest)).toEqual({ outcome: 'vanished' });
    expect(held.size).toBe(0);
  });

  it('lets go of the lock when the manifest cannot be used', async () => {
    await writeFile(join(folderOf(datastore, 'vm/100', 2), 'index.json.blob'), 'nonsense');
    await expect((await open()).open(newest)).rejects.toMatchObject({ code: 'pbs.format' });
    expect(held.size).toBe(0);
  });
});
