import { join } from 'node:path';
import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { CancelledError, type StorageError } from '../../../src/core/errors.ts';
import { decorate } from '../../../src/engine/storage/calls.ts';
import { withFaults, type FaultRule } from '../../../src/engine/storage/faulty.ts';
import { openFilesystemStorage } from '../../../src/engine/storage/filesystem.ts';
import { memoryStorage } from '../../../src/engine/storage/memory.ts';
import { probeStorage, type ProbeReport, type ProbeTarget } from '../../../src/engine/storage/probe.ts';
import { withReadOnly } from '../../../src/engine/storage/read-only.ts';
import type { Storage } from '../../../src/engine/storage/storage.ts';
import { bytes, failure, names } from '../../contracts/storage-helpers.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const verdict = (report: ProbeReport, name: string): string | undefined =>
  report.checks.find((check) => check.name === name)?.verdict;

async function refused(storage: Storage, rule?: FaultRule): Promise<readonly string[]> {
  const error = await failure(probeStorage(withFaults(storage, { rules: rule ? [rule] : [] })));
  expect(error).toMatchObject({ code: 'storage.unsupported' });
  const report = (error as StorageError).context['report'] as ProbeReport;
  return report.checks.filter((check) => check.verdict === 'bad').map((check) => check.name);
}

/** Overwrites without a word, as a gateway does that ignores conditions. */
function overwriting(): Storage {
  const memory = memoryStorage();
  return decorate(memory, (_call, run, options) => run(options), {
    put: async (name, given) => {
      memory.tamper(name, given);
      return Promise.resolve('created' as const);
    },
  });
}

function target(storage: Storage, answers: { checksum: boolean; overwrite: boolean; skip?: number }): ProbeTarget {
  return {
    refusesWrongChecksum: async (name, given) => {
      if (!answers.checksum) await storage.put(name, given);
      return answers.checksum;
    },
    refusesOverwrite: () => Promise.resolve(answers.overwrite),
    listPaged: async (prefix) => (await names(storage.list(prefix))).slice(answers.skip ?? 0),
  };
}

describe('probe', () => {
  it('finds a memory store good and leaves nothing behind', async () => {
    const memory = memoryStorage();
    await memory.put('nestegg.json', bytes(10));
    const report = await probeStorage(memory);
    const wanted = ['write', 'read-back', 'range', 'absence', 'listing', 'again', 'conditional-put', 'delete'];
    expect(wanted.map((name) => verdict(report, name))).toEqual(wanted.map(() => 'ok'));
    expect([verdict(report, 'paging'), verdict(report, 'checksum')]).toEqual(['absent', 'absent']);
    expect(report.capabilities).toEqual(memory.capabilities);
    expect(memory.names()).toEqual(['nestegg.json']);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('leaves an empty folder empty', async () => {
    const folder = await temporaryFolder();
    const storage = await openFilesystemStorage(join(folder.path, 'store'), { access: 'create' });
    const report = await probeStorage(storage);
    expect(report.checks.every(({ verdict: each }) => each !== 'bad')).toBe(true);
    expect(await readdir(join(folder.path, 'store'))).toEqual([]);
    await folder.remove();
  });

  it('works where deletion is refused, and names what it left', async () => {
    const storage = withFaults(memoryStorage(), { refuseDelete: true, refuseOverwrite: true });
    const report = await probeStorage(storage);
    expect([verdict(report, 'delete'), verdict(report, 'delete-missing')]).toEqual(['absent', 'absent']);
    expect(report.capabilities.canDelete).toBe(false);
    expect(await names(storage.list(''))).toEqual([...report.left].sort());
    expect(report.left.every((name) => /^probe\/[0-9a-f]{16}\//.test(name))).toBe(true);
  });

  for (const [what, rule, checks] of [
    ['loses a put', { operation: 'put', call: 3, fault: { kind: 'lost' } }, ['read-back', 'listing']],
    ['truncates a put', { operation: 'put', call: 3, fault: { kind: 'truncated', keepBytes: 9 } }, ['read-back']],
    ['flips a bit', { operation: 'get', call: 2, fault: { kind: 'bit-flip', bit: 5 } }, ['read-back']],
    ['cuts ranges', { operation: 'getRange', fault: { kind: 'truncated', keepBytes: 5 } }, ['range']],
    ['leaves entries out', { operation: 'list', fault: { kind: 'stale-list', putsBehind: 1 } }, ['listing']],
  ] satisfies readonly (readonly [string, FaultRule, string[]])[]) {
    it(`refuses a store that ${what}`, async () => {
      const memory = memoryStorage();
      expect(await refused(memory, rule)).toEqual(checks);
      expect(memory.names()).toEqual([]);
    });
  }

  it('finds out that names are not guarded', async () => {
    const report = await probeStorage(overwriting());
    expect(verdict(report, 'conditional-put')).toBe('bad');
    expect(report.capabilities.conditionalPut).toBe(false);
  });

  it('finds out that names are guarded against one but not against several at once', async () => {
    const memory = memoryStorage();
    const racing = decorate(memory, (_call, run, options) => run(options), {
      put: async (name, given) => {
        const there = await memory.head(name);
        await new Promise((resolve) => setImmediate(resolve));
        if (there) return memory.put(name, given);
        memory.tamper(name, given);
        return 'created' as const;
      },
    });
    const report = await probeStorage(racing);
    expect(report.checks.find(({ name }) => name === 'conditional-put')).toMatchObject({
      verdict: 'bad',
      detail: 'of 4 writers of one name at once, 4 were told that they stored it',
    });
    expect(report.capabilities.conditionalPut).toBe(false);
    expect(memory.names()).toEqual([]);
  });

  it('asks the lower target where there is one', async () => {
    const memory = memoryStorage();
    const good = await probeStorage(memory, { target: target(memory, { checksum: true, overwrite: true }) });
    expect(['paging', 'checksum', 'conditional-put'].map((name) => verdict(good, name))).toEqual(['ok', 'ok', 'ok']);
    const poor = await probeStorage(memory, { target: target(memory, { checksum: false, overwrite: false, skip: 1 }) });
    expect(['paging', 'checksum', 'conditional-put'].map((name) => verdict(poor, name))).toEqual([
      'bad',
      'absent',
      'absent',
    ]);
    expect(poor.capabilities.conditionalPut).toBe(false);
    expect(memory.names()).toEqual([]);
  });

  it('measures the clock of the store', async () => {
    const ours = new FakeClock();
    const theirs = new FakeClock(ours.now() + 90_000);
    const report = await probeStorage(memoryStorage({ clock: theirs }), { clock: ours });
    expect([report.clockSkewMs, verdict(report, 'clock')]).toEqual([90_000, 'bad']);
  });

  it('gives a store that lists late the time it says it needs', async () => {
    const clock = new FakeClock();
    const storage = memoryStorage({ clock, listDelayMs: () => 3000, capabilities: { visibilityBoundMs: 3000 } });
    const report = await clock.run(probeStorage(storage, { clock }));
    expect(verdict(report, 'listing')).toBe('ok');
  });

  it('throws what the store throws where nothing can be written', async () => {
    await expect(probeStorage(withReadOnly(memoryStorage()))).rejects.toMatchObject({ code: 'storage.refused' });
  });

  it('cleans up when it is stopped in the middle', async () => {
    const stop = new AbortController();
    const memory = memoryStorage();
    const storage = withFaults(memory, {
      onCall: ({ operation, call }) => {
        if (operation === 'get' && call === 2) stop.abort();
      },
    });
    expect(await failure(probeStorage(storage, { signal: stop.signal }))).toBeInstanceOf(CancelledError);
    expect(memory.names()).toEqual([]);
  });
});
