import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startTriggers } from '../../src/triggers/registry.ts';
import type { CatchUp, Fire, TriggerDefinition } from '../../src/triggers/trigger.ts';
import { TestServices } from '../support/trigger-services.ts';

const hourMs = 3_600_000;
const startMs = Date.UTC(2026, 0, 1, 0, 30);

function hourly(catchUp: CatchUp = 'once'): TriggerDefinition<'cron'> {
  return { kind: 'cron', id: 'backup db 0 * * * *', text: '0 * * * *', timezone: 'UTC', catchUp };
}

const times = (fires: readonly Fire[]): string[] =>
  fires.map(({ kind, dueMs }) => `${kind} ${new Date(dueMs ?? 0).toISOString().slice(11, 16)}`);

describe('a schedule at work', () => {
  it('fires at each due time, not when it is first seen', async () => {
    const services = new TestServices(startMs);
    const triggers = startTriggers([hourly()], services);
    await services.clock.advance(60_000);
    expect(services.fires).toEqual([]);
    expect(triggers.byId.get(hourly().id)?.nextDueMs()).toBe(startMs + hourMs / 2);
    await services.clock.advance(2 * hourMs);
    expect(services.fires).toEqual([
      { id: hourly().id, kind: 'cron', detail: '0 * * * *', dueMs: startMs + hourMs / 2 },
      { id: hourly().id, kind: 'cron', detail: '0 * * * *', dueMs: startMs + 1.5 * hourMs },
    ]);
    await triggers.close();
    expect(services.clock.sleeping).toBe(0);
  });

  it('counts an interval from when it was first seen, also after a restart', async () => {
    const services = new TestServices(startMs);
    const every = { kind: 'interval', id: 'i', text: '45m', timezone: 'UTC', catchUp: 'once' } as const;
    const first = startTriggers([every], services);
    await services.clock.advance(46 * 60_000);
    await first.close();
    const second = startTriggers([every], services);
    await services.clock.advance(45 * 60_000);
    await second.close();
    expect(times(services.fires)).toEqual(['interval 01:15', 'interval 02:00']);
  });

  const policies: readonly (readonly [CatchUp, string[]])[] = [
    ['once', ['catch-up 05:00', 'cron 06:00']],
    ['all', ['catch-up 02:00', 'catch-up 03:00', 'catch-up 04:00', 'catch-up 05:00', 'cron 06:00']],
    ['skip', ['cron 06:00']],
  ];
  for (const [catchUp, expected] of policies) {
    it(`after it was down, catches up: ${catchUp}`, async () => {
      const services = new TestServices(startMs);
      const first = startTriggers([hourly(catchUp)], services);
      await services.clock.advance(hourMs);
      await first.close();
      expect(times(services.fires.splice(0))).toEqual(['cron 01:00']);
      await services.clock.advance(4 * hourMs);
      const second = startTriggers([hourly(catchUp)], services);
      await services.clock.advance(hourMs);
      await second.close();
      expect(times(services.fires)).toEqual(expected);
    });
  }

  it('takes a due time of less than a minute ago for one on time', async () => {
    const services = new TestServices(startMs);
    const first = startTriggers([hourly('skip')], services);
    await services.clock.advance(60_000);
    await first.close();
    await services.clock.advance(29.5 * 60_000);
    const second = startTriggers([hourly('skip')], services);
    await services.clock.advance(1);
    await second.close();
    expect(times(services.fires)).toEqual(['cron 01:00']);
  });

  it('tries again, with the same due time, when the request was not taken or not recorded', async () => {
    const services = new TestServices(startMs);
    const triggers = startTriggers([hourly()], services);
    await services.clock.advance(29 * 60_000);
    services.failingFires = 3;
    await services.clock.advance(10 * 60_000);
    expect(times(services.fires)).toEqual(['catch-up 01:00']);
    services.failingSaves = 1;
    await services.clock.advance(hourMs);
    // The second request of 02:00 is for the queue to recognize, by its due time.
    expect(times(services.fires)).toEqual(['catch-up 01:00', 'cron 02:00', 'cron 02:00']);
    await triggers.close();
  });

  it('notices within half a minute that the machine slept or the clock was set forward', async () => {
    const services = new TestServices(startMs);
    const triggers = startTriggers([hourly()], services);
    await services.clock.advance(1000);
    services.clock.skewWallClock(5 * hourMs);
    await services.clock.advance(30_000);
    expect(times(services.fires)).toEqual(['catch-up 05:00']);
    await triggers.close();
  });

  it('does not repeat what was due when the clock steps back a little, and lives on when it steps back far', async () => {
    const services = new TestServices(startMs);
    const triggers = startTriggers([hourly()], services);
    await services.clock.advance(31 * 60_000);
    services.clock.skewWallClock(-10 * 60_000);
    await services.clock.advance(69 * 60_000);
    expect(times(services.fires.splice(0))).toEqual(['cron 01:00', 'cron 02:00']);
    services.clock.skewWallClock(-24 * 365 * hourMs);
    await services.clock.advance(hourMs);
    expect(times(services.fires)).toEqual(['cron 03:00']);
    await triggers.close();
  });

  it('neither loses nor doubles a due time over any restarts and troubles', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('run' as const), minutes: fc.integer({ min: 1, max: 200 }) }),
      fc.record({ do: fc.constant('down' as const), minutes: fc.integer({ min: 0, max: 300 }) }),
      fc.record({ do: fc.constant('trouble' as const), minutes: fc.integer({ min: 0, max: 5 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), async (steps) => {
        const services = new TestServices(startMs);
        let triggers = startTriggers([hourly('all')], services);
        await services.clock.advance(1000);
        for (const { do: what, minutes } of steps) {
          if (what === 'run') await services.clock.advance(minutes * 60_000);
          else if (what === 'trouble') {
            services.failingFires = minutes;
            services.failingSaves = minutes;
          } else {
            await triggers.close();
            await services.clock.advance(minutes * 60_000);
            triggers = startTriggers([hourly('all')], services);
          }
        }
        services.failingFires = services.failingSaves = 0;
        await services.clock.advance(60_000);
        await triggers.close();
        // The queue recognizes repeated requests by their due time.
        const due = [...new Set(services.fires.map(({ dueMs }) => dueMs ?? 0))];
        const count = Math.floor((services.clock.now() - Date.UTC(2026, 0, 1)) / hourMs);
        expect(due).toEqual(Array.from({ length: count }, (_, n) => Date.UTC(2026, 0, 1, n + 1)));
      }),
      { numRuns: 25 },
    );
  });
});

describe('a set of triggers', () => {
  it('fires once at start for `startup`, again until it is taken', async () => {
    const services = new TestServices(startMs);
    services.failingFires = 2;
    const triggers = startTriggers([{ kind: 'startup', id: 's' }], services);
    await services.clock.advance(65_000);
    expect(services.fires).toEqual([{ id: 's', kind: 'startup', detail: 'start of the daemon' }]);
    await triggers.close();
  });

  it('leaves unchanged triggers alone when it is replaced', async () => {
    const services = new TestServices(startMs);
    const triggers = startTriggers([hourly(), { ...hourly(), id: 'other' }], services);
    const before = triggers.byId.get(hourly().id);
    await triggers.replace([hourly(), { ...hourly(), id: 'third', text: '30 * * * *' }]);
    expect(triggers.byId.get(hourly().id)).toBe(before);
    expect([...triggers.byId.keys()]).toEqual([hourly().id, 'third']);
    await services.clock.advance(hourMs);
    expect(services.fires.map(({ id }) => id).sort()).toEqual([hourly().id, 'third']);
    await triggers.close();
    expect(services.clock.sleeping).toBe(0);
  });
});
