import { describe, expect, it } from 'vitest';
import { equalBytes } from '../../../src/core/bytes.ts';
import { CancelledError, StorageError } from '../../../src/core/errors.ts';
import { withFaults, type Fault, type ObservedCall } from '../../../src/engine/storage/faulty.ts';
import { memoryStorage } from '../../../src/engine/storage/memory.ts';
import { bytes, expectCode, failure, names } from '../../contracts/storage-helpers.ts';

const error = (): Error => new StorageError('storage.unavailable', 'played', { retry: 'later' });

function bench(fault?: Fault, operation: 'put' | 'get' | 'getRange' | 'list' | 'delete' = 'put') {
  const memory = memoryStorage();
  const storage = withFaults(memory, { rules: fault ? [{ operation, call: 1, fault }] : [] });
  return { memory, storage };
}

describe('faulty storage', () => {
  for (const [fault, stored] of [
    [{ kind: 'error-before', error }, []],
    [{ kind: 'error-after', error }, ['a']],
    [{ kind: 'full' }, []],
  ] as const) {
    it(`fails a put with ${fault.kind}, once, and counts it`, async () => {
      const { memory, storage } = bench(fault);
      await failure(storage.put('a', bytes(10)));
      expect(memory.names()).toEqual(stored);
      await storage.put('a', bytes(10));
      expect(memory.names()).toEqual(['a']);
      expect([storage.script.calls('put'), storage.script.fired(fault.kind), storage.script.fired()]).toEqual([
        2, 1, 1,
      ]);
    });
  }

  it('loses a put and a deletion that it says are done', async () => {
    const { memory, storage } = bench({ kind: 'lost' });
    expect(await storage.put('a', bytes(10))).toBe('created');
    expect(memory.names()).toEqual([]);
    storage.script.add({ operation: 'delete', fault: { kind: 'lost' } });
    await storage.put('a', bytes(10));
    await storage.delete('a');
    expect(memory.names()).toEqual(['a']);
  });

  it('damages what is stored', async () => {
    const { memory, storage } = bench({ kind: 'truncated', keepBytes: 4 });
    storage.script.add({ operation: 'put', call: 2, fault: { kind: 'bit-flip', bit: 83 } });
    const given = bytes(10);
    await storage.put('a', given);
    await storage.put('b', given);
    expect(equalBytes(await memory.get('a'), bytes(10).subarray(0, 4))).toBe(true);
    const flipped = await memory.get('b');
    expect([...flipped].map((byte, at) => byte ^ (bytes(10)[at] ?? 0))).toEqual([8, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(equalBytes(given, bytes(10))).toBe(true);
  });

  for (const operation of ['get', 'getRange'] as const) {
    it(`damages what ${operation} returns, and not what is stored`, async () => {
      const { memory, storage } = bench();
      await storage.put('a', bytes(10));
      const read = () => (operation === 'get' ? storage.get('a') : storage.getRange('a', 0, 10));
      storage.script.add({ operation, call: 1, fault: { kind: 'bit-flip', bit: 9 } });
      storage.script.add({ operation, call: 2, fault: { kind: 'truncated', keepBytes: 3 } });
      expect([...(await read())].map((byte, at) => byte ^ (bytes(10)[at] ?? 0))).toEqual([
        0, 2, 0, 0, 0, 0, 0, 0, 0, 0,
      ]);
      expect(await read()).toHaveLength(3);
      expect(equalBytes(await memory.get('a'), bytes(10))).toBe(true);
    });
  }

  it('does a put twice', async () => {
    const { storage } = bench({ kind: 'doubled' });
    expect(await storage.put('a', bytes(10))).toBe('exists');
  });

  it('does a put after the next one', async () => {
    const { memory, storage } = bench({ kind: 'late' });
    expect(await storage.put('a', bytes(10))).toBe('created');
    expect(memory.names()).toEqual([]);
    await storage.put('b', bytes(10));
    expect(memory.names()).toEqual(['a', 'b']);
  });

  it('stalls until the signal aborts', async () => {
    const { storage } = bench({ kind: 'stall' });
    const stop = new AbortController();
    const work = failure(storage.put('a', bytes(10), { signal: stop.signal }));
    stop.abort();
    expect(await work).toBeInstanceOf(CancelledError);
  });

  it('lists what was there some puts ago, leaves entries out, doubles them, and breaks off', async () => {
    const { storage } = bench({ kind: 'stale-list', putsBehind: 2 }, 'list');
    storage.script.add({
      operation: 'list',
      call: 2,
      fault: { kind: 'missing-entries', leaveOut: ({ name }) => name === 'b' },
    });
    storage.script.add({ operation: 'list', call: 3, fault: { kind: 'doubled' } });
    storage.script.add({ operation: 'list', call: 4, fault: { kind: 'cut-list', after: 2, error } });
    storage.script.add({ operation: 'list', call: 5, fault: { kind: 'error-before', error } });
    for (const name of ['a', 'b', 'c', 'd']) await storage.put(name, bytes(1));
    expect(await names(storage.list(''))).toEqual(['a', 'b']);
    expect(await names(storage.list(''))).toEqual(['a', 'c', 'd']);
    let doubled = 0;
    for await (const info of storage.list('')) doubled += Number(info.name !== '');
    expect(doubled).toBe(8);
    const before: string[] = [];
    await failure(
      (async () => {
        for await (const { name } of storage.list('')) before.push(name);
      })(),
    );
    expect(before).toEqual(['a', 'b']);
    await expectCode(names(storage.list('')), 'storage.unavailable');
    expect(await names(storage.list(''))).toEqual(['a', 'b', 'c', 'd']);
  });

  it('refuses deletion and overwriting, and counts both', async () => {
    const storage = withFaults(memoryStorage(), { refuseDelete: true, refuseOverwrite: true });
    await storage.put('a', bytes(10));
    expect(await storage.put('a', bytes(10))).toBe('exists');
    expect(storage.capabilities.canDelete).toBe(false);
    await expectCode(storage.put('a', bytes(11)), 'storage.conflict');
    await expectCode(storage.delete('a'), 'storage.refused');
    expect(storage.script.refused).toBe(2);
  });

  it('picks calls by number and by subject, as often as it is told', async () => {
    const { storage } = bench();
    storage.script.add({ operation: 'put', subject: /^packs\//, times: 2, fault: { kind: 'error-before', error } });
    const outcomes: string[] = [];
    for (const name of ['a', 'packs/1', 'b', 'packs/2', 'packs/3']) {
      outcomes.push(await storage.put(name, bytes(1)).catch(() => 'failed'));
    }
    expect(outcomes).toEqual(['created', 'failed', 'created', 'failed', 'created']);
    storage.script.add({ operation: 'put', fault: { kind: 'full' } });
    storage.script.clear();
    expect(await storage.put('c', bytes(1))).toBe('created');
  });

  it('tells of every call before and after it, numbered, and fails as the observer does', async () => {
    const seen: ObservedCall[] = [];
    const storage = withFaults(memoryStorage(), {
      rules: [{ operation: 'put', call: 2, fault: { kind: 'full' } }],
      onCall: (call) => {
        seen.push(call);
        if (call.total === 5) throw new Error('killed');
      },
    });
    await storage.put('a', bytes(1));
    await names(storage.list(''));
    await failure(storage.put('b', bytes(1)));
    await storage.get('a');
    expect(seen.map(({ phase, operation, subject, call, total }) => [phase, operation, subject, call, total])).toEqual([
      ['before', 'put', 'a', 1, 1],
      ['after', 'put', 'a', 1, 1],
      ['before', 'list', '', 1, 2],
      ['after', 'list', '', 1, 2],
      ['before', 'put', 'b', 2, 3],
      ['before', 'get', 'a', 1, 4],
      ['after', 'get', 'a', 1, 4],
    ]);
    await expect(storage.put('c', bytes(1))).rejects.toThrow('killed');
    expect(await storage.head('c')).toBeUndefined();
  });
});
