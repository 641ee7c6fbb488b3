import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { FakeClock } from '../fake-clock.ts';
import { failureOf, sdkClient } from './client.fixture.ts';
import { type Gateway, type GatewayOptions, startGateway } from './gateway.ts';

const Bucket = 'nestegg';
const slabBytes = 4 * 2 ** 20;
const redundancy = { minShards: 1, totalShards: 3 };

let gateway: Gateway;
let client: S3Client;

async function start(options: GatewayOptions): Promise<void> {
  gateway = await startGateway({ redundancy, ...options });
  client = sdkClient(gateway);
}

afterEach(async () => {
  client.destroy();
  await gateway.close();
});

const put = (Key: string, size: number) =>
  client.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.alloc(size, Key) }));

async function ask(
  path: string,
  init: { method?: string; body?: unknown; password?: string } = {},
): Promise<[number, unknown]> {
  const response = await fetch(`${gateway.adminUrl ?? ''}${path}`, {
    method: init.method ?? 'GET',
    headers: { authorization: `Basic ${btoa(`:${init.password ?? gateway.adminPassword}`)}` },
    ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
  });
  const text = await response.text();
  return [response.status, response.ok && text !== '' ? JSON.parse(text) : text];
}

async function shards(key: string): Promise<number[]> {
  const [, object] = await ask(`/api/bus/object/${key}?bucket=${Bucket}`);
  return (object as { slabs: { slab: { shards: unknown[] } }[] }).slabs.map(({ slab }) => slab.shards.length);
}

describe('renterd', () => {
  test('whole slabs are on hosts when PUT returns, the rest waits in a buffer', async () => {
    await start({ profile: 'renterd' });
    await put('whole', 2 * slabBytes);
    expect(await shards('whole')).toEqual([3, 3]);
    expect(gateway.pending()).toEqual({ objects: 0, bytes: 0 });
    await put('part', slabBytes + 1000);
    expect(await shards('part')).toEqual([3, 0]);
    expect(gateway.pending()).toEqual({ objects: 1, bytes: slabBytes + 1000 });
    const [, buffers] = await ask('/api/bus/slabbuffers');
    expect(buffers).toEqual([
      { complete: false, filename: 'partial_slab_4', size: 1000, maxSize: slabBytes, locked: false },
    ]);
  });

  test('a buffer is uploaded when others fill it, and an object may be split over two', async () => {
    await start({ profile: 'renterd' });
    await put('small', 1000);
    await put('filler', slabBytes - 500);
    expect(await shards('small')).toEqual([3]);
    expect(await shards('filler')).toEqual([3, 0]);
  });

  test('a buffer counts as full within 4,096 bytes', async () => {
    await start({ profile: 'renterd' });
    await put('nearly', slabBytes - 4097);
    expect(gateway.pending().objects).toBe(1);
    await put('one', 1);
    expect(gateway.pending().objects).toBe(0);
  });

  test('buffered data reads back and reports full health', async () => {
    await start({ profile: 'renterd' });
    gateway.world.health = 0.5;
    await put('small', 1000);
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'small' }));
    expect((await Body?.transformToByteArray())?.byteLength).toBe(1000);
    expect(await ask('/api/bus/object/small?onlymetadata=true')).toMatchObject([200, { health: 1, size: 1000 }]);
  });

  test('overwriting and deleting drop the slabs that nothing uses', async () => {
    await start({ profile: 'renterd' });
    await put('whole', slabBytes);
    await put('whole', slabBytes);
    expect((await ask('/api/bus/stats/objects'))[1]).toMatchObject({ numObjects: 1, totalSectorsSize: 3 * slabBytes });
  });

  test('the admin API tells what it tells, and only with the password', async () => {
    await start({ profile: 'renterd' });
    expect((await ask('/api/bus/consensus/state'))[1]).toMatchObject({ synced: true });
    expect((await ask('/api/bus/wallet'))[1]).toMatchObject({ confirmed: `2500${'0'.repeat(24)}` });
    expect((await ask('/api/bus/autopilot'))[1]).toMatchObject({ enabled: true, contracts: { prune: false } });
    await ask('/api/bus/autopilot', { method: 'PUT', body: { contracts: { prune: true } } });
    expect((await ask('/api/autopilot/state'))[1]).toMatchObject({ pruning: true });
    expect((await ask('/api/bus/contracts?filtermode=good'))[1]).toHaveLength(23);
    expect((await ask('/api/bus/settings/upload'))[1]).toMatchObject({ redundancy });
    expect((await ask('/api/worker/memory'))[1]).toMatchObject({ upload: { available: 2 ** 30 } });
    expect((await ask('/api/bus/state'))[1]).toMatchObject({ network: 'mainnet' });
    expect((await ask('/api/bus/nothing'))[0]).toBe(404);
    expect((await ask('/api/bus/state', { password: 'wrong' }))[0]).toBe(401);
  });

  test('alerts are listed by severity and dismissed', async () => {
    await start({ profile: 'renterd' });
    const alert = { data: { origin: 'bus' }, timestamp: '2026-01-01T00:00:00Z' };
    gateway.world.alerts.push({ id: '1', severity: 'warning', message: 'Wallet is low on funds', ...alert });
    gateway.world.alerts.push({ id: '2', severity: 'critical', message: 'Contract renewal failed', ...alert });
    expect((await ask('/api/bus/alerts?severity=critical'))[1]).toMatchObject({
      alerts: [{ id: '2' }],
      totals: { warning: 1, critical: 1 },
    });
    await ask('/api/bus/alerts/dismiss', { method: 'POST', body: ['2'] });
    expect((await ask('/api/bus/alerts'))[1]).toMatchObject({ alerts: [{ id: '1' }] });
  });

  test('a copy of the database is written on the gateway, with SQLite only', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nestegg-gateway-'));
    await start({ profile: 'renterd' });
    await put('a', 10);
    const body = { database: 'main', path: join(directory, 'copy') };
    expect((await ask('/api/bus/system/sqlite3/backup', { method: 'POST', body }))[0]).toBe(200);
    expect(JSON.parse(await readFile(body.path, 'utf8'))).toMatchObject([{ key: 'a' }]);
    gateway.world.database = 'mysql';
    expect((await ask('/api/bus/system/sqlite3/backup', { method: 'POST', body }))[0]).toBe(404);
    await rm(directory, { recursive: true });
  });

  test('objects, their places and the pending survive a restart', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'nestegg-gateway-'));
    await start({ profile: 'renterd', directory });
    await put('whole', slabBytes);
    await put('small', 1000);
    const before = await shards('whole');
    client.destroy();
    await gateway.close();
    await start({ profile: 'renterd', directory });
    expect(await shards('whole')).toEqual(before);
    expect(await shards('small')).toEqual([0]);
    expect((await gateway.peek('small'))?.byteLength).toBe(1000);
    expect(await gateway.losePending()).toBe(1);
    expect(gateway.keys()).toEqual(['whole']);
    await rm(directory, { recursive: true });
  });
});

describe('s3d', () => {
  const pendingObjects = async (): Promise<unknown> =>
    ((await ask('/stats/uploads'))[1] as { pendingObjects: number }).pendingObjects;

  test('every object is pending first; a flush pushes all out', async () => {
    await start({ profile: 's3d' });
    await put('whole', slabBytes);
    await put('small', 1000);
    expect((await ask('/stats/uploads'))[1]).toMatchObject({ pendingObjects: 2, pendingSize: slabBytes + 1000 });
    expect((await ask('/objects/flush', { method: 'POST' }))[0]).toBe(200);
    expect((await ask('/stats/uploads'))[1]).toMatchObject({ pendingObjects: 0, uploadedObjects: 2 });
  });

  test('each minute what fills its slabs goes, small objects wait for company', async () => {
    const clock = new FakeClock(systemClock.now());
    await start({ profile: 's3d', clock });
    await put('whole', slabBytes);
    await put('small', 1000);
    await clock.advance(59_000);
    expect(await pendingObjects()).toBe(2);
    await clock.advance(1000);
    expect(await pendingObjects()).toBe(1);
    await put('company', slabBytes - 2000);
    await put('more', slabBytes / 2);
    await clock.advance(60_000);
    // The company fills a slab by itself; half a slab and a little do not.
    expect(await pendingObjects()).toBe(2);
  });

  test('a PUT waits two minutes while the disk is full, then 503; or goes on when there is room', async () => {
    const clock = new FakeClock(systemClock.now());
    await start({ profile: 's3d', clock, diskLimitBytes: 5000 });
    await put('first', 4000);
    const began = clock.monotonic();
    expect(await clock.run(failureOf(put('second', 4000)))).toEqual({ status: 503, code: 'SlowDown' });
    expect(clock.monotonic() - began).toBeGreaterThanOrEqual(120_000);
    const third = put('third', 4000);
    await ask('/objects/flush', { method: 'POST' });
    await clock.run(third);
    expect(gateway.keys()).toEqual(['first', 'third']);
  });

  test('a flush fails while hosts are out of reach, and is counted', async () => {
    await start({ profile: 's3d' });
    await put('small', 1000);
    gateway.world.uploads = 'stuck';
    expect((await ask('/objects/flush', { method: 'POST' }))[0]).toBe(500);
    expect((await ask('/stats/uploads'))[1]).toMatchObject({ pendingObjects: 1, failedUploads: 1 });
  });

  test('an exact last page carries a token although it is not truncated', async () => {
    await start({ profile: 's3d' });
    await put('a', 1);
    await put('b', 1);
    const page = await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 2 }));
    expect([page.IsTruncated, typeof page.NextContinuationToken]).toEqual([false, 'string']);
  });

  test('five minutes of clock skew are too many', async () => {
    await start({ profile: 's3d' });
    gateway.faults.clockOffsetMs = 6 * 60_000;
    expect(await failureOf(put('a', 1))).toEqual({ status: 403, code: 'RequestTimeTooSkewed' });
  });
});
