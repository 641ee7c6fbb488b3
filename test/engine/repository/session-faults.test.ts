import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { packId, runId } from '../../../src/core/ids.ts';
import { StorageError } from '../../../src/core/errors.ts';
import { createOsLocks } from '../../../src/core/os-lock-helper.ts';
import { systemRandom } from '../../../src/core/random.ts';
import { encodeSnapshotRecord } from '../../../src/engine/format/snapshot.ts';
import { headsMemory } from '../../../src/engine/repository/memory-of-heads.ts';
import type { OpenRepository } from '../../../src/engine/repository/open-repository.ts';
import { withFaults } from '../../../src/engine/storage/faulty.ts';
import { MemoryStorage } from '../../../src/engine/storage/memory.ts';
import { newRun, openTestRepository, testKeys, testRecord } from '../../support/repository.ts';
import { listingOf, writerOf } from '../../support/journal.ts';

const snapshot = (name: string) =>
  ({ kind: 'snapshot', run: runId('12'.repeat(16)), snapshots: [listingOf(name)], segments: [] }) as const;

async function commitOne(repository: OpenRepository, item: string): Promise<void> {
  const session = await repository.write({ run: newRun() });
  expect((await session.commit([testRecord(item)])).outcome).toBe('committed');
  await session.close();
}

async function stateFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nestegg-session-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const failure = (code: StorageError['code']) =>
  ({ kind: 'error-before', error: () => new StorageError(code, 'scripted') }) as const;

describe('a write session among others, over a store that fails', () => {
  it('stores a content again whose pack dies between the entry and the second look', async () => {
    const inner = new MemoryStorage();
    const checker = await openTestRepository(inner);
    let armed = true;
    const storage = withFaults(inner, {
      onCall: async ({ phase, operation, subject }) => {
        if (phase !== 'after' || operation !== 'put' || !subject.startsWith('journal/') || !armed) return;
        armed = false;
        const packs = inner
          .names()
          .filter((name) => name.startsWith('packs/'))
          .map((name) => packId(name.split('/').at(-1) ?? ''));
        await checker.append({ kind: 'damaged', packs, blobs: [] });
      },
    });
    const session = await (await openTestRepository(storage)).write({ run: newRun() });
    const ref = await session.addBlob('data', utf8('some content'));
    const lost = await session.commit([testRecord('1')]);
    expect(lost.outcome).toBe('lost');
    await session.addBlob('data', utf8('some content'));
    await session.addBlob('snapshot', encodeSnapshotRecord(testRecord('1')));
    expect((await session.mend(lost.snapshots.map(({ id }) => id))).outcome).toBe('committed');
    await session.close();
    const reader = await openTestRepository(inner);
    expect(reader.unproven().size).toBe(0);
    expect(await reader.readContent('data', ref)).toEqual(utf8('some content'));
    const [summary] = reader.snapshots();
    expect(summary && (await reader.readRecord(summary)).item).toBe('1');
  });

  it('answers claims while the table is made anew, because another process declared damage', async () => {
    const inner = new MemoryStorage();
    const other = await openTestRepository(inner);
    await commitOne(other, '1');
    let during = (): void => undefined;
    const storage = withFaults(inner, {
      onCall: ({ operation, subject }) => {
        if (operation === 'get' && subject.startsWith('index/')) during();
      },
    });
    const session = await (await openTestRepository(storage)).write({ run: newRun() });
    const ref = await session.addBlob('data', utf8('x'));
    await other.append({ kind: 'damaged', packs: [packId('1'.repeat(64))], blobs: [] });
    const answers = new Set<string>();
    during = () => answers.add(session.claim(testKeys.blobId('data', { ...ref, length: 5 })));
    await session.flush();
    await session.close();
    expect(answers).toEqual(new Set(['new', 'claimed']));
  });

  it('goes on writing on a machine whose entries were refused many times', async () => {
    const folder = await stateFolder();
    const locks = createOsLocks();
    onTestFinished(() => locks.close());
    const storage = withFaults(new MemoryStorage());
    const open = () =>
      openTestRepository(storage, { memory: headsMemory(folder, systemRandom), stateDirectory: folder, locks });
    for (let failed = 0; failed < 9; failed += 1) {
      await commitOne(await open(), `good ${String(failed)}`);
      storage.script.add({ operation: 'put', subject: /^journal/, times: 1, fault: failure('storage.refused') });
      const session = await (await open()).write({ run: newRun() });
      await expect(session.commit([testRecord(`bad ${String(failed)}`)])).rejects.toThrow('scripted');
      await session.abandon();
    }
    const last = await open();
    await commitOne(last, 'last');
    expect(last.snapshots()).toHaveLength(10);
  });

  it('takes no entry for lost that another process wrote and remembered while the journal was read', async () => {
    const storage = new MemoryStorage();
    const memory = headsMemory(await stateFolder(), systemRandom);
    await commitOne(await openTestRepository(storage, { memory }), '1');
    let armed = true;
    const racing = {
      ...memory,
      read: async () => {
        if (armed) {
          armed = false;
          await commitOne(await openTestRepository(storage, { memory }), '2');
        }
        return memory.read();
      },
    };
    expect((await openTestRepository(storage, { memory: racing })).warnings).toEqual([]);
  });

  it('remembers the newest entry of a writer, though a slower process remembers an older one later', async () => {
    const memory = headsMemory(await stateFolder(), systemRandom);
    const writer = writerOf(1);
    const [first, second] = [writer.write(snapshot('a')), writer.write(snapshot('b'))];
    await memory.write([second.head]);
    await memory.write([first.head]);
    expect((await memory.read()).get(writer.id)).toEqual(second.head);
  });

  it('commits where hundreds of machines without state wrote, whose heads no entry could name', async () => {
    const storage = new MemoryStorage();
    for (let number = 1; number <= 480; number += 1) {
      const { name, bytes } = writerOf(number).write(snapshot(`s${String(number)}`));
      await storage.put(name, bytes);
    }
    const repository = await openTestRepository(storage);
    await commitOne(repository, 'x');
    expect(repository.view.headsBeyond).toHaveLength(1);
    expect(repository.snapshots()).toHaveLength(481);
  });

  it('holds a commit for done when only its checkpoint could not be written', async () => {
    const storage = withFaults(new MemoryStorage(), {
      rules: [{ operation: 'put', subject: /^checkpoints/, fault: failure('storage.full') }],
    });
    await commitOne(await openTestRepository(storage, { checkpointEvery: { entries: 1, ms: 1e9 } }), '1');
    expect(storage.script.fired()).toBeGreaterThan(0);
  });
});
