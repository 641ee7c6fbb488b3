import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger, type LogFields } from '../../../../src/core/logger.ts';
import { Secret } from '../../../../src/core/secret.ts';
import { withConcurrency } from '../../../../src/engine/storage/concurrency.ts';
import { probeStorage } from '../../../../src/engine/storage/probe.ts';
import { withRetry } from '../../../../src/engine/storage/retry.ts';
import { s3ProbeTarget } from '../../../../src/engine/storage/s3/probe-target.ts';
import type { S3Options } from '../../../../src/engine/storage/s3/s3-options.ts';
import { s3Storage, type S3Storage } from '../../../../src/engine/storage/s3/s3-storage.ts';
import { storageContract } from '../../../contracts/storage-contract.ts';
import { bytes, expectCode, names } from '../../../contracts/storage-helpers.ts';
import { type Radosgw, radosgwMissing, startRadosgw } from '../../../support/radosgw.ts';

const missing = await radosgwMissing();

describe.skipIf(missing !== undefined)('a real radosgw', () => {
  let radosgw: Radosgw;
  let count = 0;
  beforeAll(async () => {
    radosgw = await startRadosgw();
  }, 180_000);
  afterAll(() => radosgw.stop());

  const open = (options: Partial<S3Options> = {}): S3Storage => {
    count += 1;
    return s3Storage({
      endpoint: radosgw.url,
      bucket: radosgw.bucket,
      prefix: `test${String(count)}`,
      accessKey: radosgw.accessKey,
      secretKey: new Secret(radosgw.secretKey),
      conditionalPut: true,
      ...options,
    });
  };

  storageContract('radosgw', () => Promise.resolve({ storage: open() }), { manyObjects: 1100 });
  storageContract('radosgw without proof of conditional PUT', () =>
    Promise.resolve({ storage: open({ conditionalPut: false }) }),
  );

  test('the probe finds all that it has', async () => {
    const storage = open();
    const report = await probeStorage(storage, { target: s3ProbeTarget(storage) });
    expect(report.checks.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
    expect(report.left).toEqual([]);
    expect(await names(storage.list(''))).toEqual([]);
    await storage.close();
  });

  test('many objects are deleted with Content-MD5', async () => {
    const storage = open();
    for (const name of ['a', 'b', 'c']) await storage.put(name, bytes(10));
    expect(await storage.raw.deleteMany(['a', 'b', 'absent'].map((name) => storage.key(name)))).toEqual([]);
    expect(await names(storage.list(''))).toEqual(['c']);
    await storage.close();
  });

  test('a pack of 40 MiB goes up and comes back', async () => {
    const storage = open();
    const pack = bytes(40 * 2 ** 20);
    await storage.put('packs/aa/big', pack);
    expect(Buffer.compare(await storage.get('packs/aa/big'), pack)).toBe(0);
    await storage.close();
  });

  test('wrong keys and a missing bucket are told apart', async () => {
    const stranger = open({ secretKey: new Secret('x'.repeat(40)) });
    await expectCode(stranger.get('a'), 'storage.refused');
    await stranger.close();
    const nowhere = open({ bucket: 'no-such-bucket' });
    await expectCode(nowhere.get('a'), 'storage.failed');
    await expectCode(nowhere.head('a'), 'storage.failed');
    await nowhere.close();
  });

  test('more uploads at once than the gateway takes: SlowDown, and in the end all are there', async () => {
    const seen: LogFields[] = [];
    let release = (): void => undefined;
    const enough = new Promise<void>((resolve) => (release = resolve));
    const warn = (_event: string, fields: LogFields = {}): void => {
      // Each upload but the three inside is sent away once, and then waits with the others.
      if (seen.push(fields) === 10) release();
    };
    const inner = open({ endpoint: radosgw.throttledUrl });
    const retried = withRetry(inner, { logger: { ...silentLogger, warn }, shortestMs: 20, longestMs: 200 });
    const storage = withConcurrency(retried, { logger: silentLogger, start: 20 });
    const all = Array.from({ length: 20 }, (_value, at) => `packs/${String(at)}`);
    // Whoever gets in keeps its place, with the body half sent, until the others have been sent away often enough.
    const putSlowly = (name: string): Promise<unknown> => {
      let begun = false;
      const pace = async (wantedBytes: number): Promise<number> => {
        if (begun) await enough;
        begun = true;
        return wantedBytes;
      };
      return storage.put(name, bytes(150_000), { pace });
    };
    await Promise.all(all.map(putSlowly));
    expect(new Set(seen.map(({ code }) => code))).toEqual(new Set(['storage.unavailable']));
    expect(seen[0]?.['error']).toContain('503 SlowDown');
    const plain = open({ prefix: inner.raw.settings.prefix });
    expect(await names(plain.list('packs/'))).toEqual([...all].sort());
    for (const name of all) expect(Buffer.compare(await plain.get(name), bytes(150_000))).toBe(0);
    await Promise.all([storage.close(), plain.close()]);
  });
});
