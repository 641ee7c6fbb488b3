import { describe, expect, it } from 'vitest';
import { FakeClock } from './fake-clock.ts';

describe('fake clock', () => {
  it('wakes sleepers in order of time, then of arrival, at exactly their time', async () => {
    const clock = new FakeClock(1000);
    const woken: string[] = [];
    const sleep = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms);
      woken.push(`${name} ${String(clock.monotonic())}`);
    };
    const all = [sleep('c', 30), sleep('a', 10), sleep('b', 10), sleep('d', 500)];
    await clock.advance(100);
    expect(woken).toEqual(['a 10', 'b 10', 'c 30']);
    expect([clock.now(), clock.monotonic(), clock.sleeping]).toEqual([1100, 100, 1]);
    await clock.run(Promise.all(all));
    expect(clock.monotonic()).toBe(500);
  });

  it('lets a woken sleeper sleep again within one advance', async () => {
    const clock = new FakeClock();
    let beats = 0;
    const stop = new AbortController();
    const heart = (async () => {
      for (;;) {
        await clock.sleep(10, { signal: stop.signal });
        beats++;
      }
    })();
    await clock.advance(100);
    expect(beats).toBe(10);
    stop.abort(new Error('enough'));
    await expect(heart).rejects.toThrow('enough');
    expect(clock.sleeping).toBe(0);
  });

  it('moves the wall clock without waking anybody', async () => {
    const clock = new FakeClock();
    const before = clock.now();
    void clock.sleep(50);
    clock.skewWallClock(-3_600_000);
    await clock.advance(10);
    expect([clock.now() - before, clock.monotonic(), clock.sleeping]).toEqual([-3_599_990, 10, 1]);
  });

  it('tells of work that waits for something else than time', async () => {
    const forever = new Promise<void>(() => undefined);
    await expect(new FakeClock().run(forever, 10)).rejects.toThrow('nobody sleeps');
  });
});
