import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../../src/core/clock.ts';
import { StorageError } from '../../../../src/core/errors.ts';
import { silentLogger } from '../../../../src/core/logger.ts';
import { Secret } from '../../../../src/core/secret.ts';
import { probeStorage } from '../../../../src/engine/storage/probe.ts';
import { withRetry } from '../../../../src/engine/storage/retry.ts';
import { s3ProbeTarget } from '../../../../src/engine/storage/s3/probe-target.ts';
import { s3Storage, type S3Storage } from '../../../../src/engine/storage/s3/s3-storage.ts';
import { bytes, expectCode, failure, names } from '../../../contracts/storage-helpers.ts';
import type { Fault } from '../../../support/gateway/faults.ts';
import { type Gateway, startGateway } from '../../../support/gateway/gateway.ts';
import type { ProfileName } from '../../../support/gateway/profiles.ts';
import { hastyClock, storeOn } from './s3.fixture.ts';

let gateway: Gateway;
let store: S3Storage;

async function on(profile: ProfileName, options: Parameters<typeof storeOn>[1] = {}): Promise<void> {
  gateway = await startGateway({ profile });
  store = storeOn(gateway, options);
}

afterEach(async () => {
  await store.close();
  await gateway.close();
});

const strike = (operation: string, fault: Fault): (() => number) => gateway.faults.add({ operation, fault });

describe('round trips, counted', () => {
  test('a PUT is one request with proof, two without', async () => {
    await on('aws', { conditionalPut: true });
    await store.put('a', bytes(10));
    expect(gateway.stats.counts()).toEqual({ PutObject: 1 });
    const careful = storeOn(gateway);
    await careful.put('b', bytes(10));
    gateway.stats.reset();
    await careful.put('c', bytes(10));
    expect(gateway.stats.counts()).toEqual({ HeadObject: 1, PutObject: 1 });
    await careful.close();
  });

  test('reads, ranges, deletions and listings are one request each', async () => {
    await on('aws', { conditionalPut: true });
    await store.put('a', bytes(100));
    gateway.stats.reset();
    await store.get('a');
    await store.getRange('a', 5, 10);
    await names(store.list(''));
    await store.folders('packs/');
    await store.delete('a');
    expect(gateway.stats.counts()).toEqual({ GetObject: 2, ListObjectsV2: 2, DeleteObject: 1 });
  });

  test('a barrier asks once about each object', async () => {
    await on('aws', { conditionalPut: true });
    await store.put('a', bytes(1));
    await store.put('b', bytes(1));
    gateway.stats.reset();
    await store.barrier(['a', 'b', 'a']);
    expect(gateway.stats.counts()).toEqual({ HeadObject: 2 });
  });

  test('a barrier that fails in the middle asks only about the rest the next time', async () => {
    await on('aws', { conditionalPut: true });
    const all = Array.from({ length: 12 }, (_value, at) => `packs/${String(at)}`);
    for (const name of all) await store.put(name, bytes(1));
    gateway.stats.reset();
    gateway.faults.add({
      operation: 'HeadObject',
      key: 'packs/5',
      fault: { kind: 'status', status: 503, code: 'SlowDown' },
    });
    await expectCode(store.barrier(all), 'storage.unavailable');
    expect(gateway.stats.count('HeadObject')).toBe(12);
    await store.barrier(all);
    expect(gateway.stats.count('HeadObject')).toBe(13);
  });
});

describe('PUTs in doubt', () => {
  beforeEach(() => on('aws', { conditionalPut: true }));

  for (const kind of ['fail-after-commit', 'reset-after-commit'] as const) {
    test(`${kind}: HEAD shows that it was stored`, async () => {
      const struck = strike('PutObject', { kind });
      expect(await store.put('a', bytes(100))).toBe('created');
      expect(struck()).toBe(1);
      expect(gateway.stats.counts()).toMatchObject({ PutObject: 1, HeadObject: 1 });
    });
  }

  test('a connection lost before: the failure is told, to be tried later', async () => {
    strike('PutObject', { kind: 'reset' });
    const error = await failure(store.put('a', bytes(100)));
    expect(error).toMatchObject({ code: 'storage.unavailable', retry: 'later' });
    expect(await store.put('a', bytes(100))).toBe('created');
  });

  test('a store that says yes and keeps nothing is found out', async () => {
    strike('PutObject', { kind: 'lose' });
    expect(await failure(store.put('a', bytes(100)))).toMatchObject({ code: 'storage.corrupt', retry: 'later' });
  });

  test('503 is no doubt: nothing more is asked of a store that is overloaded', async () => {
    strike('PutObject', { kind: 'status', status: 503, code: 'SlowDown', retryAfterSeconds: 3 });
    const error = await failure(store.put('a', bytes(100)));
    expect(error).toMatchObject({ code: 'storage.unavailable', retry: 'later', context: { retryAfterMs: 3000 } });
    expect(gateway.stats.counts()).toEqual({ PutObject: 1 });
  });

  test('other bytes under the name are a conflict, also when the answer was lost', async () => {
    await store.put('a', bytes(100));
    await expectCode(store.put('a', bytes(100, 2)), 'storage.conflict');
    strike('PutObject', { kind: 'status', status: 500, code: 'InternalError' });
    await expectCode(store.put('a', bytes(100, 2)), 'storage.conflict');
    expect(await store.get('a')).toEqual(bytes(100));
  });
});

describe('servers that refuse conditions', () => {
  for (const profile of ['b2', 'swift'] as const) {
    test(`${profile}: one PUT finds out, the others look first`, async () => {
      await on(profile, { conditionalPut: true });
      expect(await store.put('a', bytes(100))).toBe('created');
      expect(store.capabilities.conditionalPut).toBe(false);
      gateway.stats.reset();
      expect(await store.put('b', bytes(100))).toBe('created');
      await expectCode(store.put('a', bytes(100, 2)), 'storage.conflict');
      expect(gateway.stats.counts()).toEqual({ HeadObject: 2, PutObject: 1 });
    });
  }
});

describe('servers that ignore conditions', () => {
  for (const profile of ['renterd', 'gcs'] as const) {
    test(`${profile}: nothing is overwritten all the same`, async () => {
      await on(profile);
      await store.put('a', bytes(100));
      expect(await store.put('a', bytes(100))).toBe('exists');
      await expectCode(store.put('a', bytes(100, 2)), 'storage.conflict');
      expect(gateway.stats.count('PutObject')).toBe(1);
    });
  }

  test('without MD5 in ETags a small object is read to compare it', async () => {
    await on('gcs');
    await store.put('a', bytes(100));
    const fresh = storeOn(gateway);
    await gateway.tamper('pbs1/a', bytes(100, 2));
    gateway.stats.reset();
    expect(await fresh.put('a', bytes(100))).toBe('exists');
    // The ETag still says what was put: reading is for the engine's own check.
    expect(gateway.stats.counts()).toEqual({ HeadObject: 1 });
    await expectCode(fresh.put('a', bytes(100, 3)), 'storage.conflict');
    expect(gateway.stats.counts()).toEqual({ HeadObject: 2, GetObject: 1 });
    await fresh.close();
  });
});

describe('exact reads', () => {
  beforeEach(async () => {
    await on('aws', { conditionalPut: true });
    await store.put('a', bytes(1000));
    gateway.stats.reset();
  });

  test('a body truncated without a length is corrupt, to be tried again', async () => {
    strike('GetObject', { kind: 'truncate', atByte: 400 });
    expect(await failure(store.get('a'))).toMatchObject({ code: 'storage.corrupt', retry: 'later' });
    expect(await store.get('a')).toEqual(bytes(1000));
  });

  test('a truncated range is corrupt', async () => {
    strike('GetObject', { kind: 'truncate', atByte: 4 });
    expect(await failure(store.getRange('a', 10, 20))).toMatchObject({ code: 'storage.corrupt', retry: 'later' });
  });

  test('a body that is cut off is a broken connection', async () => {
    strike('GetObject', { kind: 'cut', atByte: 400 });
    expect(await failure(store.get('a'))).toMatchObject({ code: 'storage.unavailable', retry: 'later' });
  });

  test('a body that stalls ends by the time-out without progress', async () => {
    const hasty = storeOn(gateway, { noProgressMs: 150 });
    strike('GetObject', { kind: 'stall', atByte: 400 });
    expect(await failure(hasty.get('a'))).toMatchObject({ code: 'storage.timeout', retry: 'later' });
    await hasty.close();
  });

  test('so does an answer that never begins, and a paced body that stalls', async () => {
    const hasty = storeOn(gateway, { noProgressMs: 150 });
    const pace = (wantedBytes: number): Promise<number> => Promise.resolve(wantedBytes);
    strike('GetObject', { kind: 'stall', atByte: -1 });
    expect(await failure(hasty.get('a'))).toMatchObject({ code: 'storage.timeout' });
    strike('GetObject', { kind: 'stall', atByte: 400 });
    expect(await failure(hasty.get('a', { pace }))).toMatchObject({ code: 'storage.timeout' });
    strike('PutObject', { kind: 'stall', atByte: -1 });
    expect(await failure(hasty.put('b', bytes(300_000), { pace }))).toMatchObject({ code: 'storage.timeout' });
    await hasty.close();
  });

  test('waiting for leave is not lack of progress', async () => {
    const hasty = storeOn(gateway, { noProgressMs: 100, conditionalPut: true });
    let pauses = 2;
    const pace = async (wantedBytes: number): Promise<number> => {
      if (pauses-- > 0) await systemClock.sleep(250);
      return wantedBytes;
    };
    expect(await hasty.put('b', bytes(200_000), { pace })).toBe('created');
    pauses = 2;
    expect(await hasty.get('b', { pace })).toEqual(bytes(200_000));
    await hasty.close();
  });
});

describe('listings', () => {
  test('s3d: a token on the last page is not followed', async () => {
    await on('s3d', { conditionalPut: true });
    for (const name of ['a', 'b', 'c', 'd']) await store.put(name, bytes(1));
    gateway.stats.reset();
    expect(await s3ProbeTarget(store).listPaged('', 2)).toEqual(['a', 'b', 'c', 'd']);
    expect(gateway.stats.counts()).toEqual({ ListObjectsV2: 2 });
  });

  test('what others left in the bucket is no object: folder markers, other prefixes', async () => {
    await on('aws', { conditionalPut: true });
    await store.put('a', bytes(1));
    await store.raw.put('pbs1/folder/', bytes(0));
    await store.raw.put('pbs10', bytes(1));
    expect(await names(store.list(''))).toEqual(['a']);
  });
});

describe('deletion', () => {
  for (const profile of ['aws', 'renterd'] as const) {
    test(`${profile}: what is missing is deleted`, async () => {
      await on(profile);
      await store.delete('never');
      await store.put('a', bytes(1));
      await store.delete('a');
      expect(gateway.keys()).toEqual([]);
    });
  }

  test('a failed deletion of what is there is a failure', async () => {
    await on('renterd');
    await store.put('a', bytes(1));
    strike('DeleteObject', { kind: 'status', status: 500, code: 'InternalError' });
    expect(await failure(store.delete('a'))).toMatchObject({ code: 'storage.unavailable', retry: 'later' });
    strike('DeleteObject', { kind: 'status', status: 403, code: 'AccessDenied' });
    expect(await failure(store.delete('a'))).toMatchObject({ code: 'storage.refused', retry: 'never' });
  });

  test('swift: many at once, with the Content-MD5 it demands', async () => {
    await on('swift');
    for (const name of ['a', 'b', 'c']) await store.put(name, bytes(1));
    expect(await store.raw.deleteMany(['a', 'b'].map((name) => store.key(name)))).toEqual([]);
    expect(gateway.keys()).toEqual(['pbs1/c']);
  });
});

describe('errors', () => {
  const rows: readonly [number, string, string, 'later' | 'never'][] = [
    [400, 'RequestTimeout', 'storage.unavailable', 'later'],
    [400, 'InvalidArgument', 'storage.failed', 'never'],
    [400, 'BadDigest', 'storage.corrupt', 'later'],
    [403, 'AccessDenied', 'storage.refused', 'never'],
    [403, 'QuotaExceeded', 'storage.full', 'never'],
    [403, 'RequestTimeTooSkewed', 'storage.unavailable', 'later'],
    [404, 'NoSuchBucket', 'storage.failed', 'never'],
    [408, 'Whatever', 'storage.unavailable', 'later'],
    [409, 'OperationAborted', 'storage.unavailable', 'later'],
    [429, 'Whatever', 'storage.unavailable', 'later'],
    [500, 'InternalError', 'storage.unavailable', 'later'],
    [501, 'NotImplemented', 'storage.unsupported', 'never'],
    [502, 'BadGateway', 'storage.unavailable', 'later'],
    [503, 'SlowDown', 'storage.unavailable', 'later'],
    [504, 'GatewayTimeout', 'storage.unavailable', 'later'],
    [507, 'Whatever', 'storage.full', 'never'],
  ];
  test.each(rows)('%i %s is %s, retry %s', async (status, code, expected, retry) => {
    await on('aws');
    gateway.faults.add({ fault: { kind: 'status', status, code }, operation: 'PutObject' });
    const error = await failure(store.put('a', bytes(1)));
    expect(error).toBeInstanceOf(StorageError);
    expect(error).toMatchObject({
      code: expected,
      retry,
      context: { operation: 'PutObject', subject: 'pbs1/a', status },
    });
  });

  test('nobody listens: to be tried later', async () => {
    await on('aws');
    await gateway.close();
    const error = await failure(store.get('a'));
    expect(error).toMatchObject({
      code: 'storage.unavailable',
      retry: 'later',
      context: { systemCode: 'ECONNREFUSED' },
    });
  });

  test('a missing bucket is never a missing object', async () => {
    await on('aws', { bucket: 'elsewhere' });
    const calls = [
      () => store.head('a'),
      () => store.get('a'),
      () => store.put('a', bytes(1)),
      () => names(store.list('')),
    ];
    for (const call of calls) {
      expect(await failure(call())).toMatchObject({ code: 'storage.failed', retry: 'never' });
    }
  });

  test('the secret is nowhere to be seen', async () => {
    await on('aws', { secretKey: new Secret('hush-hush-hush-hush-hush-hush-hush-hush-') });
    const error = await failure(store.get('a'));
    expect(error).toMatchObject({ code: 'storage.refused' });
    for (const shown of [inspect(error, { depth: 20 }), inspect(store, { depth: 20, showHidden: true })]) {
      expect(shown).not.toContain('hush-hush');
    }
  });

  test.each([
    [{ endpoint: 'ftp://x' }, 'no S3 endpoint'],
    [{ endpoint: 'https://host/bucket' }, 'no S3 endpoint'],
    [{ bucket: '' }, 'bucket name'],
    [{ prefix: '/abs' }, 'prefix'],
    [{ prefix: 'a//b' }, 'prefix'],
  ])('%j is refused at once', async (wrong, text) => {
    await on('aws');
    const options = { endpoint: gateway.url, bucket: 'b', accessKey: 'k', secretKey: new Secret('s'), ...wrong };
    expect(() => s3Storage(options)).toThrow(text);
  });
});

describe('time', () => {
  test('a store an hour ahead: the first request is refused, the second is signed with its time', async () => {
    await on('aws', { conditionalPut: true });
    gateway.faults.clockOffsetMs = 3_600_000;
    const patient = withRetry(store, { logger: silentLogger, clock: hastyClock });
    expect(await patient.put('a', bytes(1))).toBe('created');
    expect(gateway.stats.count('PutObject')).toBe(2);
    const aheadMs = ((await store.clock()) ?? 0) - systemClock.now();
    expect(Math.round(aheadMs / 60_000)).toBe(60);
  });

  test('the time is told even where asking for it is refused', async () => {
    await on('aws');
    strike('HeadBucket', { kind: 'status', status: 403, code: 'AccessDenied' });
    expect(Math.abs(((await store.clock()) ?? 0) - systemClock.now())).toBeLessThan(5000);
  });
});

describe('the probe on each profile', () => {
  const conditional: Readonly<Record<string, string>> = {
    aws: 'ok',
    s3d: 'ok',
    b2: 'absent',
    gcs: 'absent',
    renterd: 'absent',
    swift: 'absent',
  };
  test.each(Object.entries(conditional))('%s: conditional PUT is %s', async (profile, verdict) => {
    await on(profile as ProfileName, { conditionalPut: true });
    const report = await probeStorage(store, { target: s3ProbeTarget(store) });
    const verdicts = Object.fromEntries(report.checks.map((check) => [check.name, check.verdict]));
    expect(report.capabilities.conditionalPut).toBe(verdict === 'ok');
    expect(verdicts).toMatchObject({
      'conditional-put': verdict,
      checksum: 'ok',
      paging: 'ok',
      range: 'ok',
      'delete-missing': 'ok',
    });
    expect(report.left).toEqual([]);
    expect(gateway.keys()).toEqual([]);
  });
});

test('flaky: behind retry everything is stored, read, listed and deleted, with no object lost or doubled', async () => {
  await on('flaky', { conditionalPut: true });
  const patient = withRetry(store, { logger: silentLogger, clock: hastyClock });
  const all = Array.from({ length: 60 }, (_value, at) => `packs/${String(at)}`);
  for (const [at, name] of all.entries()) await patient.put(name, bytes(1000, at));
  for (const [at, name] of all.entries()) expect(await patient.get(name)).toEqual(bytes(1000, at));
  for (const [at, name] of all.entries())
    expect(await patient.getRange(name, 7, 500)).toEqual(bytes(1000, at).subarray(7, 507));
  expect(await names(patient.list('packs/'))).toEqual([...all].sort());
  await patient.barrier(all);
  for (const name of all) await patient.delete(name);
  expect(gateway.keys()).toEqual([]);
  expect(gateway.stats.count('PutObject')).toBeGreaterThan(60);
});
