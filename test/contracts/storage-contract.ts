import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { equalBytes } from '../../src/core/bytes.ts';
import { CancelledError, type StorageError } from '../../src/core/errors.ts';
import type { ObjectName, Storage } from '../../src/engine/storage/storage.ts';
import { bytes, expectCode, failure, names } from './storage-helpers.ts';

export interface StorageUnderTest {
  /** Empty, and nobody else's. */
  readonly storage: Storage;
  /** Makes everything put and deleted so far visible: lets the visibility bound pass. */
  readonly settle?: () => Promise<void>;
  /** Ends what `make` started. The suite has closed the storage. */
  readonly dispose?: () => Promise<void>;
}

export interface ContractOptions {
  /** Size of the largest object that is put, in bytes. Default 3 MiB + 5. */
  readonly largeBytes?: number;
  /** How many objects are listed at once; over 1,000 to see a second page of a real S3 store. Default 40. */
  readonly manyObjects?: number;
}

/** Every invariant of `engine/storage/storage.ts`, on a store made anew for each test. */
export function storageContract(
  name: string,
  make: () => Promise<StorageUnderTest>,
  { largeBytes = 3 * 2 ** 20 + 5, manyObjects = 40 }: ContractOptions = {},
): void {
  describe(`storage contract: ${name}`, () => {
    let made: StorageUnderTest;
    let storage: Storage;
    const settle = async (): Promise<void> => made.settle?.();

    beforeEach(async () => {
      made = await make();
      ({ storage } = made);
    });

    afterEach(async () => {
      await storage.close();
      await made.dispose?.();
    });

    const suite = { storage: () => storage, settle, largeBytes, manyObjects };
    describe('create only', () => createOnly(suite));
    describe('all or nothing, exact reads', () => exactReads(suite));
    describe('absence', () => absence(suite));
    describe('listings', () => listings(suite));
    describe('deletion', () => deletion(suite));
    describe('barrier, pending, clock', () => durability(suite));
    describe('cancellation and pace', () => cancellation(suite));
  });
}

interface Suite {
  readonly storage: () => Storage;
  readonly settle: () => Promise<void>;
  readonly largeBytes: number;
  readonly manyObjects: number;
}

function createOnly({ storage, settle }: Suite): void {
  it('answers created, then exists for the same bytes', async () => {
    expect(await storage().put('packs/ab/one', bytes(1000))).toBe('created');
    await settle();
    expect(await storage().put('packs/ab/one', bytes(1000))).toBe('exists');
    expect(equalBytes(await storage().get('packs/ab/one'), bytes(1000))).toBe(true);
  });

  for (const [kind, other] of [
    ['of the same length', bytes(1000, 2)],
    ['that are a prefix', bytes(999)],
    ['that are longer', bytes(1001)],
    ['that are none', bytes(0)],
  ] as const) {
    it(`never leaves a mixture when other bytes ${kind} come under a name`, async () => {
      await storage().put('index/one', bytes(1000));
      await settle();
      const second = storage().put('index/one', other);
      if (storage().capabilities.conditionalPut) {
        await expectCode(second, 'storage.conflict');
        expect(equalBytes(await storage().get('index/one'), bytes(1000))).toBe(true);
      } else {
        const told = await second.catch((error: unknown) => (error as StorageError).code);
        expect(['created', 'exists', 'storage.conflict']).toContain(told);
        const now = await storage().get('index/one');
        expect([bytes(1000), other].some((each) => equalBytes(each, now))).toBe(true);
      }
    });
  }

  it('stores one of many that come at once under a name', async () => {
    const bodies = Array.from({ length: 6 }, (_, at) => bytes(20_000, at + 1));
    const results = await Promise.allSettled(bodies.map((body) => storage().put('journal/w/1', body)));
    const now = await storage().get('journal/w/1');
    const at = bodies.findIndex((body) => equalBytes(body, now));
    expect(at).toBeGreaterThanOrEqual(0);
    expect(results[at]).toEqual({ status: 'fulfilled', value: 'created' });
    if (!storage().capabilities.conditionalPut) return;
    const losers = results.filter((_, each) => each !== at);
    expect(losers.map((each) => each.status === 'rejected' && (each.reason as StorageError).code)).toEqual(
      losers.map(() => 'storage.conflict'),
    );
  });

  it('lets many put the same bytes under a name at once', async () => {
    const results = await Promise.all(Array.from({ length: 6 }, () => storage().put('packs/aa/same', bytes(5000))));
    expect(results).toContain('created');
    if (storage().capabilities.conditionalPut) expect(results.filter((each) => each === 'created')).toHaveLength(1);
    expect(equalBytes(await storage().get('packs/aa/same'), bytes(5000))).toBe(true);
  });

  for (const bad of [
    '',
    '/a',
    'a/',
    'a//b',
    '../a',
    'a/../b',
    './a',
    'A',
    'a b',
    'a\0b',
    'a\\b',
    'a~',
    'ä',
    'a'.repeat(201),
  ]) {
    it(`refuses the name ${JSON.stringify(bad.slice(0, 10))}`, async () => {
      await failure(storage().put(bad, bytes(3)));
      expect(await names(storage().list(''))).toEqual([]);
    });
  }
}

function exactReads({ storage, largeBytes }: Suite): void {
  it('returns what was put, of every size', async () => {
    for (const size of [0, 1, 4095, 4096, 65_537, largeBytes]) {
      const name = `packs/${String(size)}`;
      expect(await storage().put(name, bytes(size))).toBe('created');
      expect(equalBytes(await storage().get(name), bytes(size))).toBe(true);
      expect(await storage().head(name)).toMatchObject({ name, sizeBytes: size });
    }
  });

  it('tells a time of writing that is a time', async () => {
    await storage().put('a', bytes(3));
    const info = await storage().head('a');
    const theirs = await storage().clock();
    expect(Number.isInteger(info?.modifiedMs)).toBe(true);
    if (theirs !== undefined) expect(Math.abs(theirs - (info?.modifiedMs ?? 0))).toBeLessThan(120_000);
  });

  it('keeps an object as it was put when the caller reuses the buffer', async () => {
    const shared = bytes(5000);
    await storage().put('a', shared.subarray(100, 4100));
    shared.fill(0);
    expect(equalBytes(await storage().get('a'), bytes(5000).subarray(100, 4100))).toBe(true);
  });

  it('does not change the bytes it is given', async () => {
    const given = bytes(70_000);
    await storage().put('a', given);
    expect(equalBytes(given, bytes(70_000))).toBe(true);
  });

  it('gives every caller bytes of his own', async () => {
    await storage().put('a', bytes(100));
    const first = await storage().get('a');
    first.fill(0);
    (await storage().getRange('a', 10, 10)).fill(0);
    expect(equalBytes(await storage().get('a'), bytes(100))).toBe(true);
  });

  it('reads exact ranges', async () => {
    const size = 50_000;
    await storage().put('a', bytes(size));
    const range = fc
      .tuple(fc.nat(size - 1), fc.nat(size - 1))
      .map(([a, b]) => [Math.min(a, b), Math.abs(a - b) + 1] as const);
    await fc.assert(
      fc.asyncProperty(range, async ([offset, length]) => {
        const part = await storage().getRange('a', offset, length);
        expect(equalBytes(part, bytes(size).subarray(offset, offset + length))).toBe(true);
      }),
      { numRuns: 25, examples: [[[0, size]], [[0, 1]], [[size - 1, 1]]] },
    );
  });

  for (const [offset, length] of [
    [0, 1001],
    [999, 2],
    [1000, 1],
    [5000, 10],
  ] as const) {
    it(`refuses ${String(length)} bytes from ${String(offset)} of an object of 1000`, async () => {
      await storage().put('a', bytes(1000));
      await expectCode(storage().getRange('a', offset, length), 'storage.corrupt');
    });
  }
}

function absence({ storage }: Suite): void {
  for (const missing of ['missing', 'packs/ab/missing', 'packs/zz/missing']) {
    it(`tells that ${missing} is missing`, async () => {
      await storage().put('packs/ab/there', bytes(10));
      await expectCode(storage().get(missing), 'storage.not-found');
      await expectCode(storage().getRange(missing, 0, 1), 'storage.not-found');
      expect(await storage().head(missing)).toBeUndefined();
      await expectCode(storage().barrier([missing]), 'storage.not-found');
    });
  }

  it('lists nothing where there is nothing', async () => {
    expect(await names(storage().list(''))).toEqual([]);
    expect(await names(storage().list('packs/'))).toEqual([]);
    expect(await storage().folders('journal/')).toEqual([]);
  });
}

function listings({ storage, settle, manyObjects }: Suite): void {
  const some = [
    'journal/aa/1',
    'journal/aa/2',
    'journal/b/1',
    'nestegg.json',
    'packs/ab/1',
    'packs/ab/2',
    'packs/ac/1',
  ];

  async function fill(all: readonly ObjectName[]): Promise<void> {
    const waiting = [...all];
    const work = async (): Promise<void> => {
      for (let name = waiting.pop(); name; name = waiting.pop()) await storage().put(name, bytes(20));
    };
    await Promise.all(Array.from({ length: 8 }, work));
    await settle();
  }

  it('lists everything, with sizes', async () => {
    await fill(some);
    const sizes = new Map<ObjectName, number>();
    for await (const { name, sizeBytes } of storage().list('')) sizes.set(name, sizeBytes);
    expect([...sizes.keys()].sort()).toEqual(some);
    expect(new Set(sizes.values())).toEqual(new Set([20]));
  });

  for (const prefix of ['journal/', 'journal/aa/', 'journal/a', 'packs/ab', 'packs/ab/1', 'n', 'x', 'packs/x/']) {
    it(`lists what starts with ${prefix}`, async () => {
      await fill(some);
      expect(await names(storage().list(prefix))).toEqual(some.filter((name) => name.startsWith(prefix)));
    });
  }

  for (const [prefix, startAfter] of [
    ['', 'journal/aa/2'],
    ['', 'journal/zz'],
    ['', 'packs/ab'],
    ['packs/', 'packs/ab/1'],
    ['packs/', 'journal/b/1'],
    ['journal/', 'packs/ab/1'],
  ] as const) {
    it(`lists what starts with ${JSON.stringify(prefix)} and comes after ${startAfter}`, async () => {
      await fill(some);
      const wanted = some.filter((name) => name.startsWith(prefix) && name > startAfter);
      expect(await names(storage().list(prefix, { startAfter }))).toEqual(wanted);
    });
  }

  it(`lists ${String(manyObjects)} objects, and from the middle on`, async () => {
    const all = Array.from({ length: manyObjects }, (_, at) => `packs/many/${String(at).padStart(6, '0')}`);
    await fill(all);
    expect(await names(storage().list('packs/many/'))).toEqual(all);
    const startAfter = all[Math.floor(manyObjects / 2)] ?? '';
    expect(await names(storage().list('packs/', { startAfter }))).toEqual(all.filter((name) => name > startAfter));
  });

  it('can be left early, more than once', async () => {
    await fill(some);
    for (let round = 0; round < 3; round++) {
      for await (const info of storage().list('')) {
        expect(some).toContain(info.name);
        break;
      }
    }
  });

  it('names the folders below a folder', async () => {
    await fill([...some, 'journal/plain']);
    expect([...(await storage().folders('journal/'))].sort()).toEqual(['aa', 'b']);
    expect([...(await storage().folders('packs/'))].sort()).toEqual(['ab', 'ac']);
    expect(await storage().folders('index/')).toEqual([]);
  });
}

function deletion({ storage, settle }: Suite): void {
  it('deletes, or refuses and keeps', async () => {
    await storage().put('packs/ab/1', bytes(10));
    await settle();
    if (!storage().capabilities.canDelete) {
      await expectCode(storage().delete('packs/ab/1'), 'storage.refused');
      expect(equalBytes(await storage().get('packs/ab/1'), bytes(10))).toBe(true);
      return;
    }
    await storage().delete('packs/ab/1');
    await settle();
    expect(await storage().head('packs/ab/1')).toBeUndefined();
    expect(await names(storage().list(''))).toEqual([]);
    expect(await storage().folders('packs/')).toEqual([]);
    await storage().delete('packs/ab/1');
    await storage().delete('packs/zz/never');
    expect(await storage().put('packs/ab/1', bytes(11))).toBe('created');
    expect(equalBytes(await storage().get('packs/ab/1'), bytes(11))).toBe(true);
  });
}

function durability({ storage }: Suite): void {
  it('answers a barrier over what is there, again and again', async () => {
    const all = ['packs/ab/1', 'packs/ac/1', 'index/1'];
    for (const name of all) await storage().put(name, bytes(100));
    await storage().barrier(all);
    await storage().barrier([...all, ...all]);
    await storage().barrier([]);
  });

  it('names the missing object of a barrier by an error', async () => {
    await storage().put('packs/ab/1', bytes(100));
    await expectCode(storage().barrier(['packs/ab/1', 'packs/ab/2']), 'storage.not-found');
  });

  it('calls only objects pending that it was asked about', async () => {
    await storage().put('packs/ab/1', bytes(100));
    const pending = await storage().pending(['packs/ab/1']);
    expect(['packs/ab/1']).toEqual(expect.arrayContaining([...pending]));
    expect(await storage().pending([])).toEqual([]);
  });

  it('tells a time, or none', async () => {
    const now = await storage().clock();
    expect(now === undefined || Number.isFinite(now)).toBe(true);
  });
}

function cancellation({ storage, settle, largeBytes }: Suite): void {
  it('does nothing once the signal has aborted', async () => {
    await storage().put('a', bytes(10));
    await settle();
    const signal = AbortSignal.abort();
    const calls: (() => Promise<unknown>)[] = [
      () => storage().put('b', bytes(10), { signal }),
      () => storage().get('a', { signal }),
      () => storage().getRange('a', 0, 1, { signal }),
      () => storage().head('a', { signal }),
      () => names(storage().list('', { signal })),
      () => storage().folders('packs/', { signal }),
      () => storage().barrier(['a'], { signal }),
    ];
    if (storage().capabilities.canDelete) calls.push(() => storage().delete('a', { signal }));
    for (const call of calls) expect(await failure(call())).toBeInstanceOf(CancelledError);
    expect(await names(storage().list(''))).toEqual(['a']);
  });

  it('stops a put in the middle, whole or not at all', async () => {
    const controller = new AbortController();
    let asked = 0;
    const pace = async (wantedBytes: number): Promise<number> => {
      if (++asked === 3) controller.abort();
      return Math.max(1, Math.min(wantedBytes, Math.floor(largeBytes / 8)));
    };
    const error = await failure(storage().put('a', bytes(largeBytes), { signal: controller.signal, pace }));
    expect(error).toBeInstanceOf(CancelledError);
    if (await storage().head('a')) expect(equalBytes(await storage().get('a'), bytes(largeBytes))).toBe(true);
    expect(['created', 'exists']).toContain(await storage().put('a', bytes(largeBytes)));
    expect(equalBytes(await storage().get('a'), bytes(largeBytes))).toBe(true);
  });

  it('asks for leave to move every byte of a body', async () => {
    let granted = 0;
    const pace = async (wantedBytes: number): Promise<number> => {
      expect(wantedBytes).toBeGreaterThan(0);
      const allowed = Math.min(wantedBytes, 10_000);
      granted += allowed;
      return allowed;
    };
    const moved = async (work: () => Promise<unknown>): Promise<number> => {
      granted = 0;
      await work();
      return granted;
    };
    expect(await moved(() => storage().put('a', bytes(100_000), { pace }))).toBe(100_000);
    expect(await moved(() => storage().get('a', { pace }))).toBe(100_000);
    expect(await moved(() => storage().getRange('a', 500, 30_000, { pace }))).toBe(30_000);
    expect(equalBytes(await storage().get('a', { pace }), bytes(100_000))).toBe(true);
  });
}
