import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { blobId, packId, snapshotId, type EntryId } from '../../../src/core/ids.ts';
import { sha256Hex } from '../../../src/engine/crypto/sha256.ts';
import type { PackEntry } from '../../../src/engine/format/blob.ts';
import { encodeEntry } from '../../../src/engine/format/entry.ts';
import { CancelledError } from '../../../src/core/errors.ts';
import { contentRef } from '../../../src/engine/compute/content-ref.ts';
import { PackBuilder, type BuiltPack } from '../../../src/engine/format/pack.ts';
import { utf8 } from '../../../src/core/bytes.ts';
import { createOsLocks } from '../../../src/core/os-lock-helper.ts';
import { systemRandom } from '../../../src/core/random.ts';
import { headsMemory } from '../../../src/engine/repository/memory-of-heads.ts';
import type { OpenRepository } from '../../../src/engine/repository/open-repository.ts';
import type { FinishedPack } from '../../../src/engine/repository/repository.ts';
import { progressEvery } from '../../../src/engine/repository/session.ts';
import { MemoryStorage } from '../../../src/engine/storage/memory.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { newRun, openTestRepository, ownerSeed, testKeys, testRecord } from '../../support/repository.ts';

async function names(storage: MemoryStorage, prefix: string): Promise<string[]> {
  const all: string[] = [];
  for await (const { name } of storage.list(prefix)) all.push(name);
  return all;
}

async function commitOne(repository: OpenRepository, item: string, content: string): Promise<void> {
  const session = await repository.write({ run: newRun() });
  await session.addBlob('data', utf8(content));
  const result = await session.commit([testRecord(item)]);
  expect(result.outcome).toBe('committed');
  await session.close();
}

/** A chain of progress entries, without the sessions that would have made them. */
async function writeChain(storage: MemoryStorage, length: number): Promise<void> {
  let previous: EntryId | null = null;
  for (let sequence = 1; sequence <= length; sequence += 1) {
    const base = { checkpoint: null, heads: [] };
    const body = { kind: 'progress', timeMs: 1, base, siblings: [], run: newRun(), segments: [] } as const;
    const entry = encodeEntry({ keys: testKeys, seed: ownerSeed, sequence, previous, body, random: systemRandom });
    await storage.put(entry.name, entry.bytes);
    previous = entry.id;
  }
}

async function stateFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nestegg-session-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('a write session', () => {
  it('commits what another process then reads, with digests checked', async () => {
    const storage = new MemoryStorage();
    const writer = await openTestRepository(storage);
    const session = await writer.write({ run: newRun() });
    const ref = await session.addBlob('data', utf8('hello hello hello hello hello'));
    const result = await session.commit([testRecord('1'), testRecord('2')]);
    await session.close();
    expect(result).toMatchObject({ outcome: 'committed', snapshots: [{ item: '1' }, { item: '2' }] });

    const reader = await openTestRepository(storage);
    expect(
      reader
        .snapshots()
        .map((snapshot) => snapshot.item)
        .sort(),
    ).toEqual(['1', '2']);
    expect(reader.warnings).toEqual([]);
    expect(await reader.readContent('data', ref)).toEqual(utf8('hello hello hello hello hello'));
    const [first] = reader.snapshots();
    expect(first && (await reader.readRecord(first)).group).toBe('|vm/100');
  });

  it('stores a content once, also over runs', async () => {
    const storage = new MemoryStorage();
    const repository = await openTestRepository(storage);
    await commitOne(repository, '1', 'the same');
    const packs = (await names(storage, 'packs/')).length;
    const session = await repository.write({ run: newRun() });
    await session.addBlob('data', utf8('the same'));
    await session.flush();
    await session.close();
    expect(await names(storage, 'packs/')).toHaveLength(packs);
  });

  it('answers claims: new once, claimed while on its way, failed when given up, known when stored', async () => {
    const repository = await openTestRepository(new MemoryStorage());
    const session = await repository.write({ run: newRun() });
    const ref = await session.addBlob('data', utf8('a'));
    const id = testKeys.blobId('data', ref);
    expect(session.claim(id)).toBe('claimed');
    await session.flush();
    expect(session.claim(id)).toBe('known');
    const other = testKeys.blobId('data', { ...ref, length: 2 });
    expect([session.claim(other), session.claim(other)]).toEqual(['new', 'claimed']);
    session.disclaim(other);
    expect(session.claim(other)).toBe('failed');
    await session.close();
  });

  it('leaves what it flushed to the next run after a crash', async () => {
    const storage = new MemoryStorage();
    const session = await (await openTestRepository(storage)).write({ run: newRun() });
    const ref = await session.addBlob('data', utf8('uploaded before the crash'));
    await session.flush();
    await session.abandon();

    const next = await openTestRepository(storage);
    expect(next.snapshots()).toEqual([]);
    const again = await next.write({ run: newRun() });
    expect(again.claim(testKeys.blobId('data', ref))).toBe('known');
    await again.close();
  });

  it('names what was confirmed when a run is cancelled, so that the next one goes on from there', async () => {
    const storage = new MemoryStorage();
    const session = await (await openTestRepository(storage)).write({ run: newRun() });
    const builder = (content: string): BuiltPack => {
      const pack = new PackBuilder({ keys: testKeys, capacityBytes: 2 ** 16, random: systemRandom });
      const bytes = utf8(content);
      pack.add('data', testKeys.blobId('data', contentRef(bytes)), 0, bytes, bytes.byteLength);
      return pack.finish();
    };
    await session.addPack(builder('confirmed'));
    const given = AbortSignal.abort(new CancelledError());
    await expect(session.addPack(builder('given up'), given)).rejects.toMatchObject({ code: 'cancelled' });
    await session.close();

    const next = await (await openTestRepository(storage)).write({ run: newRun() });
    expect(next.claim(testKeys.blobId('data', contentRef(utf8('confirmed'))))).toBe('known');
    expect(next.claim(testKeys.blobId('data', contentRef(utf8('given up'))))).toBe('new');
    await next.close();
  });

  it('does not trust a pack that the journal names and the store lacks', async () => {
    const storage = new MemoryStorage();
    const repository = await openTestRepository(storage);
    await commitOne(repository, '1', 'will be lost');
    for (const name of await names(storage, 'packs/')) await storage.delete(name);
    const session = await (await openTestRepository(storage)).write({ run: newRun() });
    const ref = await session.addBlob('data', utf8('will be lost'));
    await session.flush();
    expect(await names(storage, 'packs/')).toHaveLength(1);
    expect(session.claim(testKeys.blobId('data', ref))).toBe('known');
    await session.close();
  });

  it('asks for a blob again when its pack is declared damaged before the commit, and commits then', async () => {
    const storage = new MemoryStorage();
    const first = await openTestRepository(storage);
    await commitOne(first, '1', 'shared');
    const writer = await openTestRepository(storage);
    const session = await writer.write({ run: newRun() });
    const ref = await session.addBlob('data', utf8('shared'));
    const id = testKeys.blobId('data', ref);
    const pack = writer.locate(id)?.pack;
    if (pack === undefined) throw new Error('not located');
    await first.append({ kind: 'damaged', packs: [pack], blobs: [] });

    const result = await session.commit([testRecord('2')]);
    expect(result).toMatchObject({ outcome: 'lost', snapshots: [], packs: [pack] });
    expect(session.claim(id)).toBe('new');
    session.disclaim(id);
    await session.close();
    const again = await (await openTestRepository(storage)).write({ run: newRun() });
    await again.addBlob('data', utf8('shared'));
    expect((await again.commit([testRecord('2')])).outcome).toBe('committed');
    await again.close();
    const reader = await openTestRepository(storage);
    await reader.loadIndex();
    expect(reader.locate(id)?.pack).not.toBe(pack);
    expect(await reader.readContent('data', ref)).toEqual(utf8('shared'));
  });

  it('relies on a whole snapshot until one of the packs dies, whichever that is', async () => {
    const storage = new MemoryStorage();
    const first = await openTestRepository(storage);
    await commitOne(first, '1', 'relied on');
    const [summary] = first.snapshots();
    if (!summary) throw new Error('not committed');
    const session = await (await openTestRepository(storage)).write({ run: newRun() });
    expect(session.relyOn(snapshotId('0'.repeat(32)))).toBe(false);
    expect(session.relyOn(summary.id)).toBe(true);
    await first.loadIndex();
    const pack = first.locate(testKeys.blobId('snapshot', summary.record))?.pack;
    if (pack === undefined) throw new Error('not located');
    await first.append({ kind: 'damaged', packs: [pack], blobs: [] });

    expect(await session.commit([testRecord('2')])).toMatchObject({ outcome: 'lost', packs: [pack] });
    expect(session.relyOn(summary.id)).toBe(false);
    await session.abandon();
  });

  it('relies on no snapshot while the store lacks a pack that the journal names', async () => {
    const storage = new MemoryStorage();
    const first = await openTestRepository(storage);
    await commitOne(first, '1', 'kept');
    const kept = new Set(await names(storage, 'packs/'));
    await commitOne(first, '2', 'will be lost');
    for (const name of await names(storage, 'packs/')) if (!kept.has(name)) await storage.delete(name);
    const session = await (await openTestRepository(storage)).write({ run: newRun() });
    for (const { id } of first.snapshots()) expect(session.relyOn(id)).toBe(false);
    await session.close();
  });

  it('lets the journal name what it stored as soon as many blobs wait for that', async () => {
    const storage = new MemoryStorage();
    const session = await (await openTestRepository(storage)).write({ run: newRun() });
    const blobs = progressEvery.blobs / 2;
    const ids = systemRandom.bytes(progressEvery.blobs * 32);
    const packOf = (number: number): FinishedPack => {
      const bytes = new Uint8Array(blobs * 41 + 32).fill(number);
      const entries = Array.from({ length: blobs }, (_, at): PackEntry => {
        const id = blobId(ids.subarray((number * blobs + at) * 32).subarray(0, 32));
        return { kind: 'pbs-chunk', codec: 0, id, offset: at * 41, sealedLength: 41, plainLength: 1 };
      });
      return { id: packId(sha256Hex(bytes)), bytes, entries, epoch: 0 };
    };
    await session.addPack(packOf(0));
    expect(await names(storage, 'index/')).toHaveLength(0);
    await session.addPack(packOf(1));
    expect(await names(storage, 'index/')).toHaveLength(1);
    expect(await names(storage, 'journal/')).toHaveLength(1);
    expect(session.claim(blobId(ids.subarray(0, 32)))).toBe('known');
    await session.close();
  });

  it('amends a record without a second snapshot', async () => {
    const storage = new MemoryStorage();
    const repository = await openTestRepository(storage);
    await commitOne(repository, '1', 'x');
    const [snapshot] = repository.snapshots();
    if (!snapshot) throw new Error('no snapshot');
    const session = await repository.write({ run: newRun() });
    const record = testRecord('1', { protected: true });
    expect((await session.amend([{ snapshot: snapshot.id, record }])).outcome).toBe('committed');
    await session.close();
    const reader = await openTestRepository(storage);
    expect(reader.snapshots()).toHaveLength(1);
    const [amended] = reader.snapshots();
    expect(amended?.id).toBe(snapshot.id);
    expect(amended && (await reader.readRecord(amended)).source.protected).toBe(true);
  });

  it('takes a new identity when somebody else continued its chain', async () => {
    const storage = new MemoryStorage();
    const folder = await stateFolder();
    const memory = headsMemory(folder, systemRandom);
    const locks = createOsLocks();
    onTestFinished(() => locks.close());
    const place = { memory, stateDirectory: folder, locks };
    await commitOne(await openTestRepository(storage, place), '1', 'a');
    const clone = { ...memory, intended: () => Promise.resolve(undefined) };
    await commitOne(await openTestRepository(storage, { ...place, memory: clone }), '2', 'b');
    const writers = new Set((await names(storage, 'journal/')).map((name) => name.split('/')[1]));
    expect(writers.size).toBe(2);
    await commitOne(await openTestRepository(storage, place), '3', 'c');
    const reader = await openTestRepository(storage, place);
    expect(reader.snapshots()).toHaveLength(3);
    expect(reader.warnings).toEqual([]);
  });

  it('tells a rollback of the store from memory', async () => {
    const storage = new MemoryStorage();
    const folder = await stateFolder();
    const memory = headsMemory(folder, systemRandom);
    await commitOne(await openTestRepository(storage, { memory }), '1', 'a');
    for (const name of await names(storage, 'journal/')) await storage.delete(name);
    const reader = await openTestRepository(storage, { memory });
    expect(reader.warnings).toMatchObject([{ kind: 'rollback', remembered: 1, found: 0 }]);
    const later = await openTestRepository(storage, { memory });
    expect(later.warnings).toMatchObject([{ kind: 'rollback' }]);
  });

  it('folds entries into a checkpoint, which then stands for them, and goes on from there', async () => {
    const storage = new MemoryStorage();
    const repository = await openTestRepository(storage, { checkpointEvery: { entries: 100, ms: 1e9 } });
    const session = await repository.write({ run: newRun() });
    for (let item = 0; item < 150; item += 1) await session.commit([testRecord(String(item))]);
    await session.close();
    expect(await names(storage, 'checkpoints/')).toHaveLength(1);
    for (const name of (await names(storage, 'journal/')).sort().slice(0, 36)) await storage.delete(name);
    const reader = await openTestRepository(storage);
    expect(reader.snapshots()).toHaveLength(150);
    expect(reader.warnings).toEqual([]);
  });

  it('opens within 16 round trips, with a checkpoint almost due', async () => {
    const clock = new FakeClock();
    const storage = new MemoryStorage();
    await writeChain(storage, 499);
    let depth = 0;
    const wait = async (): Promise<void> => {
      await clock.sleep(200);
      depth = Math.max(depth, clock.monotonic() / 200);
    };
    const slow = new Proxy(storage, {
      get(target, key, receiver) {
        if (key === 'get' || key === 'folders') {
          return async (...args: [never]) => {
            await wait();
            return target[key](...args);
          };
        }
        if (key === 'list') {
          return async function* (...args: [never]) {
            await wait();
            yield* target.list(...args);
          };
        }
        const value: unknown = Reflect.get(target, key, receiver);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const opening = openTestRepository(slow);
    await clock.advance(16 * 200);
    expect((await opening).view.beyond).toHaveLength(499);
    expect(depth).toBeLessThanOrEqual(16);
  });
});
