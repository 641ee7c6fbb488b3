import { describe, expect, it } from 'vitest';
import { CancelledError, StorageError } from '../../../src/core/errors.ts';
import { decorate } from '../../../src/engine/storage/calls.ts';
import { withConcurrency } from '../../../src/engine/storage/concurrency.ts';
import { memoryStorage, type MemoryStorage } from '../../../src/engine/storage/memory.ts';
import type { Storage } from '../../../src/engine/storage/storage.ts';
import { bytes, expectCode, failure } from '../../contracts/storage-helpers.ts';
import { RecordingLogger } from '../../support/recording-logger.ts';

/** A store whose gets end when the test says so. */
class Gate {
  readonly inner: MemoryStorage = memoryStorage();
  readonly #open: { readonly name: string; readonly finish: () => void; readonly fail: (error: Error) => void }[] = [];
  most = 0;

  storage(): Storage {
    return decorate(this.inner, (_call, run, options) => run(options), {
      get: (name) =>
        new Promise<Uint8Array>((resolve, fail) => {
          this.#open.push({ name, finish: () => resolve(new Uint8Array()), fail });
          this.most = Math.max(this.most, this.#open.length);
        }),
    });
  }

  names(): string[] {
    return this.#open.map(({ name }) => name);
  }

  /** The names of the requests that run, once they are so many. The limiter starts them from timers of its own. */
  async running(count: number): Promise<string[]> {
    const enough = (): boolean => this.#open.length >= count;
    for (let turn = 0; turn < 200_000 && !enough(); turn++) await new Promise((resolve) => setImmediate(resolve));
    return this.names();
  }

  /** Ends the oldest `count` requests, once so many run. */
  async finish(count = 1): Promise<void> {
    await this.running(count);
    for (const each of this.#open.splice(0, count)) each.finish();
  }

  async fail(code: 'storage.unavailable' | 'storage.timeout' | 'storage.refused', count = 1): Promise<void> {
    await this.running(count);
    for (const each of this.#open.splice(0, count)) each.fail(new StorageError(code, 'failed', { retry: 'later' }));
  }
}

function bench(start: number, max: number): { gate: Gate; logger: RecordingLogger; storage: Storage } {
  const gate = new Gate();
  const logger = new RecordingLogger();
  return { gate, logger, storage: withConcurrency(gate.storage(), { logger, start, max }) };
}

function request(storage: Storage, count: number): Promise<PromiseSettledResult<Uint8Array>[]> {
  return Promise.allSettled(Array.from({ length: count }, (_, at) => storage.get(String(at))));
}

const limits = (logger: RecordingLogger): unknown[] =>
  logger.of('storage.concurrency').map((line) => line.fields['limit']);

describe('concurrency', () => {
  it('runs so many at once and the others in order of arrival', async () => {
    const { gate, storage } = bench(2, 2);
    const all = request(storage, 5);
    expect(await gate.running(2)).toEqual(['0', '1']);
    await gate.finish();
    expect(await gate.running(2)).toEqual(['1', '2']);
    await gate.finish(2);
    expect(await gate.running(2)).toEqual(['3', '4']);
    await gate.finish(2);
    expect((await all).every((each) => each.status === 'fulfilled')).toBe(true);
    expect(gate.most).toBe(2);
    await storage.close();
  });

  it('grows by one after a round of successes, up to its most', async () => {
    const { gate, logger, storage } = bench(2, 4);
    const all = request(storage, 40);
    for (const round of [2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 3]) await gate.finish(round);
    await all;
    expect(limits(logger)).toEqual([3, 4]);
    expect(gate.most).toBe(4);
    await storage.close();
  });

  it('does not grow while it is not used up', async () => {
    const { gate, logger, storage } = bench(4, 8);
    for (let at = 0; at < 20; at++) {
      const one = storage.get('a');
      await gate.finish();
      await one;
    }
    expect(limits(logger)).toEqual([]);
    await storage.close();
  });

  for (const code of ['storage.unavailable', 'storage.timeout'] as const) {
    it(`halves on ${code}, once for all that were on their way`, async () => {
      const { gate, logger, storage } = bench(8, 8);
      const all = request(storage, 30);
      await gate.fail(code, 8);
      expect(await gate.running(4)).toHaveLength(4);
      expect(limits(logger)).toEqual([4]);
      await gate.fail(code, 4);
      expect(await gate.running(2)).toHaveLength(2);
      await gate.fail(code, 2);
      expect(await gate.running(1)).toHaveLength(1);
      expect(limits(logger)).toEqual([4, 2, 1]);
      await gate.fail(code, 1);
      expect(await gate.running(1)).toHaveLength(1);
      expect(limits(logger)).toEqual([4, 2, 1]);
      const left = { requests: 30 - 8 - 4 - 2 - 1 };
      // It grows again meanwhile, so one at a time.
      while (left.requests-- > 0) await gate.finish(1);
      await all;
      await storage.close();
    });
  }

  it('does not slow down because of other errors', async () => {
    const { gate, logger, storage } = bench(4, 4);
    const all = request(storage, 4);
    await gate.fail('storage.refused', 4);
    expect((await all).every((each) => each.status === 'rejected')).toBe(true);
    expect(limits(logger)).toEqual([]);
    await storage.close();
  });

  it('lets those leave at once who wait for a slot, and never starts them', async () => {
    const { gate, storage } = bench(1, 1);
    const first = storage.get('first');
    const stop = new AbortController();
    const second = failure(storage.get('second', { signal: stop.signal }));
    await gate.running(1);
    stop.abort();
    expect(await second).toBeInstanceOf(CancelledError);
    const third = storage.get('third');
    await gate.finish();
    expect(await gate.running(1)).toEqual(['third']);
    await gate.finish();
    await Promise.all([first, third]);
    await storage.close();
  });

  it('lets a consumer of a listing make requests, even with one slot, and a barrier pass', async () => {
    const memory = memoryStorage();
    const storage = withConcurrency(memory, { logger: new RecordingLogger(), start: 1, max: 1 });
    for (const name of ['a', 'b', 'c']) await storage.put(name, bytes(5));
    let read = 0;
    for await (const { name } of storage.list('')) read += (await storage.get(name)).byteLength;
    await storage.barrier(['a', 'b']);
    expect(read).toBe(15);
    await storage.close();
  });

  it('slows down when a listing says that the store is overloaded', async () => {
    const logger = new RecordingLogger();
    const overloaded = decorate(memoryStorage(), (_call, run, options) => run(options), {
      async *list(): AsyncGenerator<never> {
        await Promise.resolve();
        throw new StorageError('storage.unavailable', 'slow down', { retry: 'later' });
        yield* [];
      },
    });
    const storage = withConcurrency(overloaded, { logger, start: 8 });
    const listing = storage.list('')[Symbol.asyncIterator]();
    await expectCode(listing.next(), 'storage.unavailable');
    expect(limits(logger)).toEqual([4]);
  });
});
