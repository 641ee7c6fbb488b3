import { describe, expect, it } from 'vitest';
import { equalBytes } from '../../../src/core/bytes.ts';
import { withFaults } from '../../../src/engine/storage/faulty.ts';
import { memoryStorage } from '../../../src/engine/storage/memory.ts';
import { Meter, withMeter } from '../../../src/engine/storage/meter.ts';
import { withReadOnly } from '../../../src/engine/storage/read-only.ts';
import { bytes, expectCode, failure, names } from '../../contracts/storage-helpers.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('read-only', () => {
  it('refuses to write and passes everything else', async () => {
    const memory = memoryStorage();
    await memory.put('packs/a', bytes(10));
    const storage = withReadOnly(memory);
    await expectCode(storage.put('packs/b', bytes(10)), 'storage.refused');
    await expectCode(storage.delete('packs/a'), 'storage.refused');
    expect(memory.names()).toEqual(['packs/a']);
    expect(storage.capabilities).toEqual({ ...memory.capabilities, canDelete: false });
    expect(equalBytes(await storage.get('packs/a'), bytes(10))).toBe(true);
    expect(equalBytes(await storage.getRange('packs/a', 2, 3), bytes(10).subarray(2, 5))).toBe(true);
    expect((await storage.head('packs/a'))?.sizeBytes).toBe(10);
    expect(await names(storage.list(''))).toEqual(['packs/a']);
    expect(await storage.folders('')).toEqual(['packs']);
    await storage.barrier(['packs/a']);
  });
});

describe('meter', () => {
  it('counts calls, errors, time and bytes as they move', async () => {
    const clock = new FakeClock();
    const meter = new Meter();
    const faulty = withFaults(memoryStorage(), {
      rules: [{ operation: 'head', call: 2, fault: { kind: 'full' } }],
      onCall: ({ phase }) => (phase === 'before' ? clock.sleep(100) : undefined),
    });
    const storage = withMeter(faulty, meter, clock);
    await clock.run(storage.put('a', bytes(1000)));
    await clock.run(storage.get('a'));
    await clock.run(storage.getRange('a', 5, 50));
    await clock.run(storage.head('a'));
    await clock.run(failure(storage.head('a')));
    expect([meter.sentBytes, meter.receivedBytes]).toEqual([1000, 1050]);
    expect(meter.of('put')).toEqual({ calls: 1, errors: 0, tookMs: 100 });
    expect(meter.of('head')).toEqual({ calls: 2, errors: 1, tookMs: 200 });
    expect(meter.of('delete')).toEqual({ calls: 0, errors: 0, tookMs: 0 });
  });

  it('shows the bytes of a body while it is on its way', async () => {
    const meter = new Meter();
    const seen: number[] = [];
    const pace = async (wantedBytes: number): Promise<number> => {
      seen.push(meter.sentBytes);
      return Promise.resolve(Math.min(400, wantedBytes));
    };
    await withMeter(memoryStorage(), meter).put('a', bytes(1000), { pace });
    expect(seen).toEqual([0, 400, 800]);
    expect(meter.sentBytes).toBe(1000);
  });
});
