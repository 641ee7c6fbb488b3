import { expect, it, onTestFinished } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { MemoryStorage } from '../../../src/engine/storage/memory.ts';
import type { Storage } from '../../../src/engine/storage/storage.ts';
import { newRun, openTestRepository, testRecord } from '../../support/repository.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** A gateway that holds everything back until it is told to deliver. */
function gateway(): { readonly storage: Storage; readonly memory: MemoryStorage; readonly deliver: () => void } {
  const memory = new MemoryStorage({ capabilities: { costlyBarrier: true } });
  let delivered = false;
  const storage = new Proxy<Storage>(memory, {
    get(target, key) {
      if (key === 'pending') return (names: readonly string[]) => Promise.resolve(delivered ? [] : names);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return {
    storage,
    memory,
    deliver: () => {
      delivered = true;
    },
  };
}

async function commit(storage: Storage, stateDirectory: string | undefined) {
  const repository = await openTestRepository(storage, { stateDirectory });
  const session = await repository.write({ run: newRun() });
  await session.addBlob('data', utf8('x'));
  await session.commit([testRecord('1')]);
  await session.close();
  return repository;
}

it('tells committed from off-site, and remembers when it saw a snapshot leave', async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  const { storage, deliver } = gateway();
  const repository = await commit(storage, folder.path);
  expect(await repository.offsiteTimes()).toEqual(new Map());
  expect(await repository.settleOffsite()).toMatchObject({ pendingCommits: 1, putBack: 0 });
  deliver();
  expect(await repository.settleOffsite()).toEqual({ pendingCommits: 0, pendingObjects: 0, putBack: 0 });
  const [snapshot] = repository.snapshots();
  expect([...(await repository.offsiteTimes()).keys()]).toEqual([snapshot?.id]);
  const later = await openTestRepository(storage, { stateDirectory: folder.path });
  expect((await later.offsiteTimes()).size).toBe(1);
});

it('puts back an entry and a segment that the gateway lost with its disk', async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  const { storage, memory } = gateway();
  await commit(storage, folder.path);
  const lost = memory.names().filter((name) => name.startsWith('journal/') || name.startsWith('index/'));
  for (const name of lost) await memory.delete(name);
  const repository = await openTestRepository(storage, { stateDirectory: folder.path });
  expect(repository.snapshots()).toEqual([]);
  expect((await repository.settleOffsite()).putBack).toBe(lost.length);
  await repository.refresh();
  expect(repository.snapshots()).toHaveLength(1);
});

it('takes committed for off-site where there is no gateway', async () => {
  const repository = await commit(new MemoryStorage(), undefined);
  const [snapshot] = repository.snapshots();
  expect(await repository.offsiteTimes()).toEqual(new Map([[snapshot?.id, snapshot?.committedMs]]));
});
