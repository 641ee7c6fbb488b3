import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CancelledError } from '../../../src/core/errors.ts';
import { memoryStorage } from '../../../src/engine/storage/memory.ts';
import { withThrottle } from '../../../src/engine/storage/throttle.ts';
import { TokenBucket } from '../../../src/engine/storage/token-bucket.ts';
import { bytes, failure } from '../../contracts/storage-helpers.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const mib = 2 ** 20;

interface Grant {
  readonly atMs: number;
  readonly bytes: number;
}

/** Takes from the bucket without end, as uploads of `packBytes` each would, until the signal aborts. */
async function saturate(
  bucket: TokenBucket,
  clock: FakeClock,
  packBytes: number,
  grants: Grant[],
  signal: AbortSignal,
) {
  try {
    for (;;) {
      for (let left = packBytes; left > 0;) {
        const granted = await bucket.take(left, signal);
        grants.push({ atMs: clock.monotonic(), bytes: granted });
        left -= granted;
      }
    }
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
  }
}

function between(grants: readonly Grant[], fromMs: number, untilMs: number): number {
  return grants.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs).reduce((sum, each) => sum + each.bytes, 0);
}

function worstWindow(grants: readonly Grant[], rate: number, fromMs: number, untilMs: number): number {
  let worst = 0;
  for (let at = fromMs; at + 10_000 <= untilMs; at += 250) {
    worst = Math.max(worst, Math.abs(between(grants, at, at + 10_000) / (rate * 10) - 1));
  }
  return worst;
}

describe('token bucket', () => {
  for (const rate of [20_000, 300_000, 5 * mib, 100 * mib]) {
    for (const takers of [1, 3]) {
      it(`keeps ${String(rate)} B/s within 5 % in any 10 s, with ${String(takers)} taking`, async () => {
        const clock = new FakeClock();
        const bucket = new TokenBucket(rate, clock);
        const grants: Grant[] = [];
        const stop = new AbortController();
        const work = Array.from({ length: takers }, () => saturate(bucket, clock, 16 * mib, grants, stop.signal));
        await clock.advance(25_000);
        stop.abort();
        await Promise.all(work);
        expect(worstWindow(grants, rate, 0, 25_000)).toBeLessThan(0.05);
        expect(clock.sleeping).toBe(0);
      });
    }
  }

  it('follows a rate that changes while it runs, also from and to no limit', async () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket(10 * mib, clock);
    const grants: Grant[] = [];
    const stop = new AbortController();
    const work = saturate(bucket, clock, 40 * mib, grants, stop.signal);
    await clock.advance(12_000);
    bucket.setRate(200_000);
    expect(bucket.bytesPerSecond).toBe(200_000);
    await clock.advance(12_000);
    bucket.setRate(mib);
    await clock.advance(12_000);
    stop.abort();
    await work;
    expect(worstWindow(grants, 10 * mib, 0, 12_000)).toBeLessThan(0.05);
    expect(worstWindow(grants, 200_000, 12_001, 24_000)).toBeLessThan(0.05);
    expect(worstWindow(grants, mib, 24_001, 36_000)).toBeLessThan(0.05);
    bucket.setRate(undefined);
    expect(await bucket.take(500 * mib)).toBe(500 * mib);
    bucket.setRate(1000);
    expect(await bucket.take(500 * mib)).toBe(50);
  });

  it('lets those go at once who wait when the limit is lifted', async () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket(1, clock);
    await bucket.take(100);
    const waiting = [bucket.take(100), bucket.take(100)];
    bucket.setRate(undefined);
    expect(await Promise.all(waiting)).toEqual([100, 100]);
    expect(clock.monotonic()).toBe(0);
  });

  it('saves up a tenth of a second and no more', async () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket(mib, clock);
    await clock.advance(3_600_000);
    const grants: Grant[] = [];
    const stop = new AbortController();
    const work = saturate(bucket, clock, mib, grants, stop.signal);
    await clock.advance(1000);
    stop.abort();
    await work;
    expect(between(grants, 0, Infinity)).toBeLessThanOrEqual(1.2 * mib);
  });

  it('serves in order of arrival and forgets those who leave', async () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket(1000, clock);
    await bucket.take(1000);
    const order: string[] = [];
    const stop = new AbortController();
    const first = bucket.take(10).then(() => order.push('first'));
    const left = failure(bucket.take(10, stop.signal));
    const third = bucket.take(10).then(() => order.push('third'));
    stop.abort();
    expect(await left).toBeInstanceOf(CancelledError);
    await clock.run(Promise.all([first, third]));
    expect(order).toEqual(['first', 'third']);
  });

  it('never grants nothing, nor more than is wanted', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 1, max: 1e9, noNaN: true }),
        fc.array(fc.integer({ min: 1, max: 1e8 }), { maxLength: 20 }),
        async (rate, wanted) => {
          const clock = new FakeClock();
          const bucket = new TokenBucket(rate, clock);
          for (const each of wanted) {
            const granted = await clock.run(bucket.take(each));
            expect(granted).toBeGreaterThanOrEqual(1);
            expect(granted).toBeLessThanOrEqual(each);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  for (const rate of [0, -1, NaN, 0.5]) {
    it(`refuses a rate of ${String(rate)}`, () => {
      expect(() => new TokenBucket(rate)).toThrow(RangeError);
      expect(() => new TokenBucket(5).setRate(rate)).toThrow(RangeError);
    });
  }
});

describe('throttle', () => {
  it('moves bodies up and down at the rates of their buckets', async () => {
    const clock = new FakeClock();
    const upload = new TokenBucket(mib, clock);
    const download = new TokenBucket(4 * mib, clock);
    const storage = withThrottle(memoryStorage({ clock }), { upload, download });
    await clock.run(storage.put('a', bytes(8 * mib)));
    expect(clock.monotonic() / 1000).toBeCloseTo(8, 0);
    const before = clock.monotonic();
    await clock.run(storage.get('a'));
    expect((clock.monotonic() - before) / 1000).toBeCloseTo(2, 0);
    const half = clock.monotonic();
    await clock.run(storage.getRange('a', 10, 4 * mib));
    expect((clock.monotonic() - half) / 1000).toBeCloseTo(1, 0);
  });

  it('lets a waiting upload be stopped', async () => {
    const clock = new FakeClock();
    const upload = new TokenBucket(1000, clock);
    const storage = withThrottle(memoryStorage(), { upload, download: upload });
    const stop = new AbortController();
    const work = failure(storage.put('a', bytes(mib), { signal: stop.signal }));
    await clock.advance(2000);
    stop.abort();
    expect(await work).toBeInstanceOf(CancelledError);
    await clock.advance(0);
    expect(clock.sleeping).toBe(0);
  });

  it('asks the pace of the caller too', async () => {
    const bucket = new TokenBucket(undefined);
    const storage = withThrottle(memoryStorage(), { upload: bucket, download: bucket });
    let asked = 0;
    const pace = (wantedBytes: number): Promise<number> => {
      asked++;
      return Promise.resolve(Math.min(wantedBytes, 100));
    };
    await storage.put('a', bytes(1000), { pace });
    expect(asked).toBe(10);
  });
});
