/**
 * Every call of the store that one small run makes fails once, in every way in which that call can fail. The run adds a
 * snapshot and amends another; nothing that was committed may be lost, nothing incomplete may pass for complete, and the
 * next run finishes.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { StorageError } from '../../src/core/errors.ts';
import type { SnapshotId } from '../../src/core/ids.ts';
import { systemRandom } from '../../src/core/random.ts';
import { checkRepository, type CheckReport } from '../../src/engine/maintenance/check.ts';
import type { OpenRepository } from '../../src/engine/repository/open-repository.ts';
import { withFaults, type Fault, type FaultRule, type FaultyOptions } from '../../src/engine/storage/faulty.ts';
import type { Operation } from '../../src/engine/storage/calls.ts';
import { memoryStorage, type MemoryStorage } from '../../src/engine/storage/memory.ts';
import { addSnapshot, generateDatastore } from '../support/datastore/generator.ts';
import type { VmPlan } from '../support/datastore/plan.ts';
import { runBackup, testRepository } from '../support/pbs-backup.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

/** Without disks: no chunk is read, so no thread is started, and a run takes milliseconds. */
const machine: VmPlan = { type: 'vm', id: '100', notes: 'web server\n', snapshots: 1, clientLog: true, disks: [] };
const seed = 'every call';

let folder: TemporaryFolder;
/** What the store holds before the run: one snapshot. */
const before = new Map<string, Uint8Array>();
let calls: readonly { readonly operation: Operation; readonly call: number; readonly subject: string }[];

beforeAll(async () => {
  folder = await temporaryFolder();
  await generateDatastore(datastore(), { seed, machines: [machine] });
  const store = memoryStorage();
  await backUp(store);
  for (const name of store.names()) before.set(name, await store.get(name));
  await addSnapshot(datastore(), seed, machine, 1);
  await writeFile(join(datastore(), 'vm/100/notes'), 'changed notes\n');
  const seen: (typeof calls)[number][] = [];
  await backUp(await newStore(), {
    onCall: ({ phase, operation, call, subject }) => {
      if (phase === 'before') seen.push({ operation, call, subject });
    },
  });
  calls = seen;
});
afterAll(() => folder.remove());

function datastore(): string {
  return join(folder.path, 'datastore');
}

async function newStore(): Promise<MemoryStorage> {
  const store = memoryStorage();
  for (const [name, bytes] of before) await store.put(name, bytes);
  return store;
}

interface Run {
  /** As the run ended, or what it threw. */
  readonly ended: string;
  readonly committed: readonly SnapshotId[];
}

/** One run, from opening to closing, in a process of its own that remembers nothing. */
async function backUp(store: MemoryStorage, faults: FaultyOptions = {}): Promise<Run> {
  const committed: SnapshotId[] = [];
  try {
    const { repository } = await testRepository(1, withFaults(store, faults));
    const report = await runBackup({
      datastore: datastore(),
      repositories: [repository],
      options: { threads: 1, commitEvery: { snapshots: 1 } },
      events: { committed: (_repository, snapshots) => void committed.push(...snapshots) },
    });
    return { ended: report.state, committed };
  } catch (error) {
    return { ended: String(error), committed };
  }
}

const unavailable = (): Error => new StorageError('storage.unavailable', 'gone for a moment', { retry: 'later' });

const faults = {
  'fails without effect': { kind: 'error-before', error: unavailable },
  'takes effect and then fails': { kind: 'error-after', error: unavailable },
  'finds no space': { kind: 'full' },
  'is done twice': { kind: 'doubled' },
  'is answered and never done': { kind: 'lost' },
  'is answered and done late': { kind: 'late' },
  'moves only the first 20 bytes': { kind: 'truncated', keepBytes: 20 },
  'changes a bit': { kind: 'bit-flip', bit: 1_000_003 },
  'breaks off after one entry': { kind: 'cut-list', after: 1, error: unavailable },
  'leaves out everything': { kind: 'missing-entries', leaveOut: () => true },
  'shows what was before the last two puts': { kind: 'stale-list', putsBehind: 2 },
} satisfies Record<string, Fault>;
type FaultName = keyof typeof faults;

const told: readonly FaultName[] = ['fails without effect', 'takes effect and then fails', 'finds no space'];
const applicable: Readonly<Partial<Record<Operation, readonly FaultName[]>>> = {
  put: [
    ...told,
    'is done twice',
    'is answered and never done',
    'is answered and done late',
    'moves only the first 20 bytes',
    'changes a bit',
  ],
  get: [...told, 'moves only the first 20 bytes', 'changes a bit', 'is done twice'],
  getRange: [...told, 'moves only the first 20 bytes', 'changes a bit', 'is done twice'],
  list: [
    ...told,
    'is done twice',
    'breaks off after one entry',
    'leaves out everything',
    'shows what was before the last two puts',
  ],
};

/** What a `put` answers although nothing, or something else, is stored: only looking again can find it. */
const lies: ReadonlySet<FaultName> = new Set([
  'is answered and never done',
  'is answered and done late',
  'moves only the first 20 bytes',
  'changes a bit',
]);

async function check(repository: OpenRepository, markDamaged: boolean): Promise<CheckReport> {
  const mode = { type: 'data', share: 1 } as const;
  return checkRepository(repository, { mode, markDamaged, clock: systemClock, random: systemRandom });
}

/** Snapshots of which something cannot be read, found by reading all of it. */
async function unreadable(repository: OpenRepository): Promise<SnapshotId[]> {
  const found: SnapshotId[] = [];
  for (const summary of repository.snapshots()) {
    try {
      const { source } = await repository.readRecord(summary);
      for (const file of source.files) {
        if (file.kind !== 'blob') throw new Error('only blobs were backed up');
        for (const ref of file.data) await repository.readContent('data', ref);
      }
    } catch {
      found.push(summary.id);
    }
  }
  return found;
}

/** Lines that say what is wrong; none is the only good answer. */
async function findings(rule: FaultRule, lie: boolean): Promise<string[]> {
  const store = await newStore();
  const run = await backUp(store, { rules: [rule] });
  const atOnce = await findAtOnce(store, run, lie);
  const next = await backUp(store);
  // What a lie spoiled and was committed stays spoiled until it is repaired, and each run says so.
  const fine = lie ? ['done', 'warning'] : ['done'];
  const ending = fine.includes(next.ended) ? [] : [`the next run ended as ${next.ended}`];
  return [...atOnce, ...ending, ...(await findInTheEnd(store, lie))];
}

async function findAtOnce(store: MemoryStorage, run: Run, lie: boolean): Promise<string[]> {
  const wrong: string[] = [];
  const { repository } = await testRepository(1, store);
  const shown = new Set(repository.snapshots().map(({ id }) => id));
  if (run.committed.some((id) => !shown.has(id))) wrong.push('a snapshot that was told as committed is not there');
  const report = await check(repository, lie);
  const incomplete = await unreadable(repository);
  if (incomplete.some((id) => !report.incomplete.includes(id))) wrong.push('check misses an incomplete snapshot');
  if (lie) return wrong;
  if (incomplete.length > 0) wrong.push('a snapshot is incomplete');
  return [...wrong, ...report.problems.map(({ detail }) => `check finds ${detail}`)];
}

async function findInTheEnd(store: MemoryStorage, lie: boolean): Promise<string[]> {
  const wrong: string[] = [];
  const { repository } = await testRepository(1, store);
  const items = repository.snapshots().map(({ item }) => item);
  if (new Set(items).size !== 2) wrong.push(`after the next run there are ${String(items.length)} snapshots`);
  if (lie) return wrong;
  if (items.length !== 2) wrong.push('a snapshot was committed twice');
  const report = await check(repository, false);
  if (report.problems.length + report.incomplete.length > 0) wrong.push('the next run left problems');
  return wrong;
}

describe('every call of the store fails once', () => {
  it('makes calls of every kind that matters', () => {
    const kinds = new Set(calls.map(({ operation }) => operation));
    expect([...kinds]).toEqual(expect.arrayContaining(['put', 'get', 'list', 'barrier']));
    const puts = calls.filter(({ operation }) => operation === 'put').map(({ subject }) => subject.split('/')[0]);
    expect(new Set(puts)).toEqual(new Set(['packs', 'index', 'journal']));
  });

  it.each(Object.keys(faults) as FaultName[])('and %s', async (name) => {
    const fault = faults[name];
    const wrong: string[] = [];
    let tried = 0;
    for (const { operation, call, subject } of calls) {
      if (!(applicable[operation] ?? told).includes(name)) continue;
      tried += 1;
      const found = await findings({ operation, call, fault }, operation === 'put' && lies.has(name));
      wrong.push(...found.map((line) => `${operation} ${subject}: ${line}`));
    }
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(0);
  });

  it('and the store refuses every deletion and every overwrite', async () => {
    const store = await newStore();
    const run = await backUp(store, { refuseDelete: true, refuseOverwrite: true });
    expect(run.ended).toBe('done');
    const { repository } = await testRepository(1, store);
    expect((await check(repository, false)).problems).toEqual([]);
    expect(repository.snapshots()).toHaveLength(2);
  });
});
