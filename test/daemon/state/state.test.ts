import { describe, expect, it } from 'vitest';
import { openState } from '../../../src/daemon/state/state.ts';
import { id, inOrder, newTask } from '../../contracts/queue-store-contract.ts';
import { ProcessLocks, temporaryFolder } from '../../support/state.ts';

describe('the state directory', () => {
  it('belongs to one daemon at a time', async () => {
    const folder = await temporaryFolder();
    const locks = new ProcessLocks();
    const first = await openState(folder.path, locks);
    await expect(openState(folder.path, locks)).rejects.toMatchObject({ code: 'state.locked' });
    await first.close();
    await first.close();
    const second = await openState(folder.path, locks);
    expect(second.recovered).toBe(false);
    await second.close();
    await folder.remove();
  });

  it('does calls in the order in which they were made, and keeps what it answered', async () => {
    const folder = await temporaryFolder();
    const state = await openState(folder.path, new ProcessLocks());
    const calls = Array.from({ length: 50 }, (_, n) => state.queue.enqueue(newTask(n, `b${n % 10}`, { priority: n })));
    const outcomes = (await Promise.all(calls)).map(({ outcome }) => outcome);
    expect(outcomes).toEqual([...Array<string>(10).fill('queued'), ...Array<string>(40).fill('merged')]);
    await expect(state.queue.abort(id(3))).rejects.toMatchObject({ code: 'usage', name: 'UsageError' });
    await expect(state.queue.abort(id(99))).rejects.toMatchObject({ code: 'not-found', name: 'NotFoundError' });
    await state.close();
    const again = await openState(folder.path, new ProcessLocks());
    expect(inOrder((await again.queue.live()).waiting)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map(id));
    await again.close();
    await folder.remove();
  });

  it('keeps what triggers remember', async () => {
    const folder = await temporaryFolder();
    const state = await openState(folder.path, new ProcessLocks());
    expect(await state.triggers.load('x')).toBeUndefined();
    await state.triggers.save('x', { firstSeenMs: 1, lastDueMs: 2 });
    expect(await state.triggers.load('x')).toEqual({ firstSeenMs: 1, lastDueMs: 2 });
    await state.triggers.save('x', { firstSeenMs: 1, lastDueMs: 3, notes: '{"a":1}' });
    await state.close();
    const again = await openState(folder.path, new ProcessLocks());
    expect(await again.triggers.load('x')).toEqual({ firstSeenMs: 1, lastDueMs: 3, notes: '{"a":1}' });
    await again.close();
    await folder.remove();
  });

  it('refuses calls after it was closed, and answers those made before', async () => {
    const folder = await temporaryFolder();
    const state = await openState(folder.path, new ProcessLocks());
    const before = state.queue.enqueue(newTask(1));
    await state.close();
    expect(await before).toMatchObject({ outcome: 'queued' });
    await expect(state.queue.live()).rejects.toMatchObject({ code: 'state.failed' });
    await folder.remove();
  });

  it('says what is wrong when it cannot be opened', async () => {
    const folder = await temporaryFolder();
    const locks = new ProcessLocks();
    const { writeFile } = await import('node:fs/promises');
    await writeFile(
      `${folder.path}/state.db`,
      'this is no database, but it is longer than a header of one'.repeat(100),
    );
    await expect(openState(folder.path, locks)).rejects.toMatchObject({
      code: 'state.corrupt',
      hint: expect.stringContaining('nothing in it is needed to restore'),
    });
    expect(locks.held.size).toBe(0);
    await expect(openState(`${folder.path}/state.db/below`, locks)).rejects.toMatchObject({ code: 'state.failed' });
    await folder.remove();
  });
});
