import { describe, expect, it } from 'vitest';
import { CancelledError, StorageError } from '../../../src/core/errors.ts';
import type { Random } from '../../../src/core/random.ts';
import { withFaults, type FaultRule, type FaultyStorage } from '../../../src/engine/storage/faulty.ts';
import { memoryStorage } from '../../../src/engine/storage/memory.ts';
import { withRetry } from '../../../src/engine/storage/retry.ts';
import type { Storage } from '../../../src/engine/storage/storage.ts';
import { bytes, expectCode, failure } from '../../contracts/storage-helpers.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RecordingLogger } from '../../support/recording-logger.ts';

const longest: Random = { bytes: (length) => new Uint8Array(length), below: (limit) => limit - 1 };
const shortest: Random = { ...longest, below: () => 0 };
const unavailable = (context = {}): Error =>
  new StorageError('storage.unavailable', 'come back later', { retry: 'later', context, hint: 'Wait.' });

interface Bench {
  readonly clock: FakeClock;
  readonly logger: RecordingLogger;
  readonly faulty: FaultyStorage;
  readonly storage: Storage;
}

function bench(rules: readonly FaultRule[], random = longest): Bench {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const faulty = withFaults(memoryStorage({ clock }), { rules });
  return { clock, logger, faulty, storage: withRetry(faulty, { logger, clock, random }) };
}

const always = (error: () => Error): FaultRule => ({ operation: 'put', fault: { kind: 'error-before', error } });

describe('retry', () => {
  it('doubles the ceiling of its delays from 1 s to 60 s and gives up within 15 min', async () => {
    const { clock, logger, faulty, storage } = bench([always(unavailable)]);
    const error = await clock.run(failure(storage.put('a', bytes(10))));
    const delays = logger.of('storage.retry').map((line) => line.fields['delayMs']);
    expect(delays.slice(0, 8)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    expect(clock.monotonic()).toBe(63_000 + 13 * 60_000);
    expect(faulty.script.calls('put')).toBe(delays.length + 1);
    expect(error).toMatchObject({ code: 'storage.unavailable', retry: 'later', hint: 'Wait.' });
    expect((error as Error).message).toBe('come back later (given up after 20 attempts in 14m 3s)');
    expect((error as StorageError).context['attempts']).toBe(20);
    expect(clock.sleeping).toBe(0);
  });

  it('draws each delay between nothing and its ceiling', async () => {
    const drawn: number[] = [];
    const random = { ...longest, below: (limit: number) => drawn.push(limit) && Math.floor(limit / 3) };
    const { clock, logger, storage } = bench(
      [1, 2, 3].map((call) => ({ ...always(unavailable), call })),
      random,
    );
    await clock.run(storage.put('a', bytes(10)));
    expect(drawn).toEqual([1001, 2001, 4001]);
    expect(logger.of('storage.retry').map((line) => line.fields['delayMs'])).toEqual([333, 667, 1333]);
  });

  it('tells what it repeats', async () => {
    const { clock, logger, storage } = bench([{ ...always(unavailable), call: 1 }]);
    expect(await clock.run(storage.put('packs/a', bytes(10)))).toBe('created');
    expect(logger.lines).toEqual([
      {
        level: 'warn',
        event: 'storage.retry',
        fields: {
          operation: 'put',
          object: 'packs/a',
          attempt: 1,
          delayMs: 1000,
          code: 'storage.unavailable',
          error: 'come back later',
        },
      },
    ]);
  });

  it('waits as long as the store asks', async () => {
    const { clock, storage } = bench([{ ...always(() => unavailable({ retryAfterMs: 90_000 })), call: 1 }], shortest);
    await clock.run(storage.put('a', bytes(10)));
    expect(clock.monotonic()).toBe(90_000);
  });

  it('gives up at once when the store asks for more than the budget', async () => {
    const { clock, faulty, storage } = bench([always(() => unavailable({ retryAfterMs: 3_600_000 }))]);
    const error = await clock.run(failure(storage.put('a', bytes(10))));
    expect((error as Error).message).toBe('come back later');
    expect([clock.monotonic(), faulty.script.calls()]).toEqual([0, 1]);
  });

  it('counts its budget by the monotonic clock', async () => {
    const { clock, faulty, storage } = bench([{ ...always(unavailable), times: 2 }]);
    const work = storage.put('a', bytes(10));
    await clock.advance(500);
    clock.skewWallClock(86_400_000);
    expect(await clock.run(work)).toBe('created');
    expect(faulty.script.calls('put')).toBe(3);
  });

  for (const [kind, error] of [
    ['a final error', new StorageError('storage.refused', 'no')],
    ['cancellation', new CancelledError()],
    ['an error of another type', new TypeError('bug')],
  ] as const) {
    it(`does not repeat ${kind}`, async () => {
      const { clock, faulty, storage } = bench([always(() => error)]);
      expect(await clock.run(failure(storage.put('a', bytes(10))))).toBe(error);
      expect(faulty.script.calls('put')).toBe(1);
    });
  }

  it('sends the same bytes after an ambiguous answer and learns that they are there', async () => {
    const rule: FaultRule = { operation: 'put', call: 1, fault: { kind: 'error-after', error: unavailable } };
    const { clock, storage } = bench([rule]);
    expect(await clock.run(storage.put('a', bytes(10)))).toBe('exists');
  });

  it('stops waiting when the signal aborts', async () => {
    const { clock, storage } = bench([always(unavailable)]);
    const controller = new AbortController();
    const work = failure(storage.put('a', bytes(10), { signal: controller.signal }));
    await clock.advance(1500);
    controller.abort();
    expect(await work).toBeInstanceOf(CancelledError);
    expect(clock.sleeping).toBe(0);
  });

  for (const operation of ['get', 'getRange', 'head', 'folders', 'delete', 'barrier', 'pending', 'clock'] as const) {
    it(`repeats ${operation}`, async () => {
      const { clock, faulty, storage } = bench([
        { operation, call: 1, fault: { kind: 'error-before', error: unavailable } },
      ]);
      await storage.put('packs/a', bytes(10));
      const calls = {
        get: () => storage.get('packs/a'),
        getRange: () => storage.getRange('packs/a', 1, 2),
        head: () => storage.head('packs/a'),
        folders: () => storage.folders('packs/'),
        delete: () => storage.delete('packs/a'),
        barrier: () => storage.barrier(['packs/a']),
        pending: () => storage.pending(['packs/a']),
        clock: () => storage.clock(),
      };
      await clock.run<unknown>(calls[operation]());
      expect(faulty.script.calls(operation)).toBe(2);
    });
  }

  describe('of listings', () => {
    const cut = (call: number, after: number): FaultRule => ({
      operation: 'list',
      call,
      fault: { kind: 'cut-list', after, error: unavailable },
    });

    async function listed({ clock, storage }: Bench): Promise<string[]> {
      for (let at = 0; at < 5; at++) await storage.put(`a/${String(at)}`, bytes(3));
      const all: string[] = [];
      await clock.run(
        (async () => {
          for await (const { name } of storage.list('a/')) all.push(name);
        })(),
      );
      return all;
    }

    it('begins again and leaves nothing out', async () => {
      const test = bench([cut(1, 2), cut(2, 4)]);
      const all = await listed(test);
      expect([...new Set(all)].sort()).toEqual(['a/0', 'a/1', 'a/2', 'a/3', 'a/4']);
      expect(all).toHaveLength(2 + 4 + 5);
    });

    it('gives up when it gets no further', async () => {
      const test = bench([{ operation: 'list', fault: { kind: 'cut-list', after: 3, error: unavailable } }]);
      await expectCode(listed(test), 'storage.unavailable');
      expect(test.clock.monotonic()).toBeGreaterThan(13 * 60_000);
      expect(test.clock.monotonic()).toBeLessThanOrEqual(15 * 60_000);
    });
  });
});
