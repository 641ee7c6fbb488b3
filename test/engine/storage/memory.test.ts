import { describe, expect, it } from 'vitest';
import { equalBytes } from '../../../src/core/bytes.ts';
import { memoryStorage } from '../../../src/engine/storage/memory.ts';
import { bytes, expectCode, names } from '../../contracts/storage-helpers.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('memory storage', () => {
  it('shows an object to readers and to listings when their delays have passed', async () => {
    const clock = new FakeClock();
    const storage = memoryStorage({
      clock,
      readDelayMs: (name) => (name === 'slow' ? 1000 : 0),
      listDelayMs: () => 3000,
    });
    for (const name of ['slow', 'quick']) await storage.put(name, bytes(10));
    await expectCode(storage.get('slow'), 'storage.not-found');
    await expectCode(storage.barrier(['slow']), 'storage.not-found');
    expect(await storage.head('quick')).toBeDefined();
    await clock.advance(1000);
    expect(await storage.head('slow')).toBeDefined();
    expect(await names(storage.list(''))).toEqual([]);
    await clock.advance(2000);
    expect(await names(storage.list(''))).toEqual(['quick', 'slow']);
  });

  it('knows of an object that readers do not see yet', async () => {
    const storage = memoryStorage({ clock: new FakeClock(), readDelayMs: () => 1000 });
    await storage.put('a', bytes(10));
    expect(await storage.put('a', bytes(10))).toBe('exists');
    await expectCode(storage.put('a', bytes(11)), 'storage.conflict');
  });

  it('lists a deleted object until its delay has passed', async () => {
    const clock = new FakeClock();
    const storage = memoryStorage({ clock, listDelayMs: () => 3000 });
    await storage.put('a', bytes(10));
    await clock.advance(3000);
    await storage.delete('a');
    expect(await storage.head('a')).toBeUndefined();
    expect(await names(storage.list(''))).toEqual(['a']);
    await clock.advance(3000);
    expect(await names(storage.list(''))).toEqual([]);
  });

  it('lets a test tamper with what is stored', async () => {
    const storage = memoryStorage();
    await storage.put('a', bytes(10));
    storage.tamper('a', bytes(5));
    storage.tamper('b', bytes(6));
    expect(equalBytes(await storage.get('a'), bytes(5))).toBe(true);
    expect(storage.names()).toEqual(['a', 'b']);
    storage.tamper('a', undefined);
    await expectCode(storage.get('a'), 'storage.not-found');
  });
});
