import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { blobId, type PackId } from '../../src/core/ids.ts';
import { toHex } from '../../src/core/bytes.ts';
import { systemRandom } from '../../src/core/random.ts';
import { PackBuilder } from '../../src/engine/format/pack.ts';
import { checkRepository, type CheckMode, type CheckReport } from '../../src/engine/maintenance/check.ts';
import { chooseShare } from '../../src/engine/maintenance/check-packs.ts';
import { rebuildIndex } from '../../src/engine/maintenance/rebuild-index.ts';
import { memoryStorage, type MemoryStorage } from '../../src/engine/storage/memory.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { generateDatastore } from '../support/datastore/generator.ts';
import { runBackup, smallPlan, testRepository, type TestRepository } from '../support/pbs-backup.ts';
import { newRun } from '../support/repository.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts';

let origin: TemporaryFolder;
let datastore: string;
const stored = new Map<string, Uint8Array>();
let storage: MemoryStorage;
let target: TestRepository;

beforeAll(async () => {
  origin = await temporaryFolder();
  datastore = join(origin.path, 'main');
  await generateDatastore(datastore, smallPlan);
  const filled = memoryStorage();
  const { repository } = await testRepository(1, filled);
  expect((await runBackup({ datastore, repositories: [repository] })).state).toBe('done');
  for (const name of filled.names()) stored.set(name, await filled.get(name));
});
afterAll(() => origin.remove());

beforeEach(async () => {
  storage = memoryStorage();
  for (const [name, bytes] of stored) await storage.put(name, bytes);
  target = await testRepository(1, storage);
});

function check(mode: CheckMode, markDamaged = true): Promise<CheckReport> {
  const parts = { clock: new FakeClock(), random: systemRandom };
  return checkRepository(target.repository, { mode, markDamaged, ...parts });
}

const structure = { type: 'structure' } as const;
const data = { type: 'data', share: 1 } as const;
const named = (prefix: string): string[] => storage.names().filter((name) => name.startsWith(prefix));

describe('check', () => {
  it('finds nothing wrong with a whole repository, and reads every byte when asked to', async () => {
    const report = await check(data);
    expect(report).toMatchObject({ problems: [], incomplete: [], unlistedPacks: 0, marked: { packs: [], blobs: [] } });
    expect(report.provenPacks).toBe(named('packs/').length);
    expect(report.readBytes).toBe(named('packs/').reduce((sum, name) => sum + (stored.get(name)?.byteLength ?? 0), 0));
    expect((await check(structure)).readBytes).toBe(0);
  });

  it('finds a missing pack by structure alone, and names the snapshots it hurts', async () => {
    const before = named('packs/').length;
    for (const name of named('packs/')) await storage.delete(name);
    const report = await check(structure);
    expect(report.problems.filter((problem) => problem.kind === 'pack')).toHaveLength(before);
    expect(report.incomplete).toHaveLength(target.repository.snapshots().length);
    expect(report.marked.packs).toHaveLength(before);
  });

  it('finds a pack of another length by structure, a flipped bit only by data', async () => {
    // The largest holds chunks: of metadata, structure alone would find the damage too.
    const size = (name: string): number => stored.get(name)?.byteLength ?? 0;
    const [name = ''] = named('packs/').sort((a, b) => size(b) - size(a));
    const bytes = stored.get(name) ?? new Uint8Array();
    storage.tamper(name, bytes.subarray(0, bytes.byteLength - 1));
    expect((await check(structure, false)).problems[0]).toMatchObject({ kind: 'pack', subject: name });
    const flipped = bytes.slice();
    flipped[100] = (flipped[100] ?? 0) ^ 1;
    storage.tamper(name, flipped);
    expect((await check(structure)).problems).toEqual([]);
    const report = await check(data);
    expect(report.problems).toMatchObject([{ kind: 'pack', subject: name }]);
    expect(report.marked.packs).toEqual([name.split('/').at(-1)]);
  });

  it('marks damage, and the next backup stores again what it hit, from the source', async () => {
    const largest = (a: string, b: string): number =>
      (stored.get(b)?.byteLength ?? 0) - (stored.get(a)?.byteLength ?? 0);
    for (const name of named('packs/').sort(largest))
      storage.tamper(name, new Uint8Array(stored.get(name)?.byteLength ?? 0));
    const report = await check(data);
    expect(report.marked.packs).toHaveLength(named('packs/').length);

    const next = await testRepository(1, storage);
    expect(next.repository.unproven().size).toBe(next.repository.snapshots().length);
    const healed = await runBackup({ datastore, repositories: [next.repository] });
    expect(healed).toMatchObject({ state: 'done', warnings: [] });
    target = await testRepository(1, storage);
    expect(target.repository.unproven().size).toBe(0);
    expect(target.repository.snapshots()).toHaveLength(report.snapshots);
    const after = await check(data);
    expect(after.incomplete).toEqual([]);

    const again = await runBackup({ datastore, repositories: [(await testRepository(1, storage)).repository] });
    expect(again).toMatchObject({ state: 'done', readBytes: 0, chunks: 0 });
  });

  it('marks a damaged blob once: the next check puts nothing in doubt again', async () => {
    const session = await target.repository.write({ run: newRun() });
    const { keys } = target.repository;
    const builder = new PackBuilder({ keys, capacityBytes: 2 ** 20, random: systemRandom });
    builder.add('data', blobId(new Uint8Array(32)), 0, new Uint8Array(100), 100);
    await session.addPack(builder.finish());
    await session.flush();
    await session.close();
    expect((await check(data)).marked.blobs).toHaveLength(1);
    const next = await check(data);
    expect(next.marked).toEqual({ packs: [], blobs: [] });
    expect(next.settled).toHaveLength(next.snapshots);
    expect(target.repository.unproven().size).toBe(0);
  });

  it('finds a lost index segment, and rebuild-index finds its packs again', async () => {
    for (const name of named('index/')) await storage.delete(name);
    target = await testRepository(1, storage);
    const broken = await check(structure, false);
    expect(broken.problems.some((problem) => problem.kind === 'segment')).toBe(true);
    expect(broken.incomplete.length).toBeGreaterThan(0);
    expect(broken.unlistedPacks).toBe(named('packs/').length);
    const rebuilt = await rebuildIndex(target.repository, { run: newRun(), random: systemRandom });
    expect(rebuilt).toMatchObject({ added: named('packs/').length, refused: [] });
    target = await testRepository(1, storage);
    const report = await check(data);
    expect(report.incomplete).toEqual([]);
    expect(report.unlistedPacks).toBe(0);
  });
});

describe('rebuild-index', () => {
  it('takes up nothing that is not proven: junk with the directory of a real pack', async () => {
    const [name = ''] = named('packs/');
    const real = stored.get(name) ?? new Uint8Array();
    const junk = real.slice();
    junk.fill(7, 0, Math.floor(real.byteLength / 2));
    const { createHash } = await import('node:crypto');
    const id = createHash('sha256').update(junk).digest('hex');
    storage.tamper(`packs/${id.slice(0, 2)}/${id}`, junk);
    const report = await rebuildIndex(target.repository, { run: newRun(), random: systemRandom });
    expect(report.added).toBe(0);
    expect(report.refused).toMatchObject([{ pack: id }]);
  });

  it('has nothing to do in a whole repository', async () => {
    const before = storage.names();
    expect(await rebuildIndex(target.repository, { run: newRun(), random: systemRandom })).toMatchObject({ added: 0 });
    expect(storage.names()).toEqual(before);
  });
});

describe('the share of packs to read', () => {
  const packs = Array.from({ length: 10 }, (_, index) => toHex(new Uint8Array(32).fill(index)) as PackId);
  it('is at least one, at most all, without doubles', () => {
    expect(chooseShare(packs, 0, systemRandom)).toEqual([]);
    expect(chooseShare(packs, 0.01, systemRandom)).toHaveLength(1);
    expect(new Set(chooseShare(packs, 0.5, systemRandom)).size).toBe(5);
    expect([...chooseShare(packs, 1, systemRandom)].sort()).toEqual(packs);
  });
});
