import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../../src/core/clock.ts';
import { Secret } from '../../../../src/core/secret.ts';
import { processFlushMemory } from '../../../../src/engine/storage/sia/flush-memory.ts';
import { openSiaStorage, type SiaOptions, type SiaStorage } from '../../../../src/engine/storage/sia/sia-storage.ts';
import { bytes, expectCode, failure } from '../../../contracts/storage-helpers.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { type Gateway, type GatewayOptions, startGateway } from '../../../support/gateway/gateway.ts';

/** 1 of 30: slabs of 4 MiB, so that tests move little. */
const redundancy = { minShards: 1, totalShards: 30 };
const slabBytes = 4 * 2 ** 20;

let gateway: Gateway | undefined;
const opened: SiaStorage[] = [];

async function start(options: GatewayOptions): Promise<Gateway> {
  gateway = await startGateway({ redundancy, ...options });
  return gateway;
}

async function open(on: Gateway, options: Partial<SiaOptions> = {}): Promise<SiaStorage> {
  const storage = await openSiaStorage({
    endpoint: on.url,
    bucket: on.bucket,
    prefix: 'pbs1/',
    accessKey: on.accessKey,
    secretKey: new Secret(on.secretKey),
    gateway: { api: on.adminUrl ?? on.url, password: new Secret(on.adminPassword) },
    ...options,
  });
  opened.push(storage);
  return storage;
}

afterEach(async () => {
  for (const storage of opened.splice(0)) await storage.close();
  await gateway?.close();
  gateway = undefined;
});

describe('which gateway it is', () => {
  test('renterd tells its network and its slabs', async () => {
    const on = await start({ profile: 'renterd' });
    const storage = await open(on);
    expect(storage.gateway).toEqual({ kind: 'renterd', network: 'mainnet', slabBytes, minShards: 1, totalShards: 30 });
    expect(storage.capabilities).toMatchObject({
      slabBytes,
      packBytes: slabBytes,
      costlyBarrier: false,
      visibilityBoundMs: 0,
    });
    expect(storage.s3.raw.settings.noProgressMs).toBe(300_000);
    expect(storage.location).toBe(`sia://${new URL(on.url).host}/nestegg/pbs1/`);
  });

  test('s3d', async () => {
    const storage = await open(await start({ profile: 's3d' }));
    expect(storage.gateway).toEqual({ kind: 's3d', slabBytes: 40 * 2 ** 20 });
    expect(storage.capabilities).toMatchObject({ slabBytes: 40 * 2 ** 20, costlyBarrier: true });
    expect(storage.s3.raw.settings.noProgressMs).toBe(180_000);
  });

  test('the S3 port of something else is no admin API', async () => {
    const on = await start({ profile: 'aws' });
    // An S3 server answers 403 to a request without a signature.
    await expectCode(open(on), 'storage.refused');
  });

  test('a wrong password is told as such', async () => {
    const on = await start({ profile: 'renterd' });
    const work = open(on, { gateway: { api: on.adminUrl ?? '', password: new Secret('wrong') } });
    expect(await failure(work)).toMatchObject({
      code: 'storage.refused',
      retry: 'never',
      hint: expect.stringContaining('API password'),
    });
  });

  test('nobody there: to be tried later', async () => {
    const on = await start({ profile: 'renterd' });
    await on.close();
    expect(await failure(open(on))).toMatchObject({ code: 'storage.unavailable', retry: 'later' });
  });

  test('an API that does not answer in time', async () => {
    const clock = new FakeClock(systemClock.now());
    const on = await start({ profile: 'renterd' });
    // The S3 port, told to be silent.
    on.faults.add({ fault: { kind: 'stall', atByte: -1 } });
    const work = failure(open(on, { clock, gateway: { api: on.url, password: new Secret('x') } }));
    expect(await clock.run(work)).toMatchObject({ code: 'storage.timeout', retry: 'later' });
    expect(clock.sleeping).toBe(0);
  });

  test('a test network is refused, and few hosts', async () => {
    const zen = await start({ profile: 'renterd', network: 'zen' });
    expect(await failure(open(zen))).toMatchObject({
      code: 'storage.unsupported',
      message: expect.stringContaining('zen'),
    });
    await (await open(zen, { allowWeakRedundancy: true })).put('a', bytes(1));
    await zen.close();
    const few = await start({ profile: 'renterd', redundancy: { minShards: 2, totalShards: 6 } });
    expect(await failure(open(few))).toMatchObject({
      code: 'storage.unsupported',
      message: expect.stringContaining('2 of 6'),
    });
  });
});

describe('renterd', () => {
  test('whole slabs are past the barrier when their PUT returns; small objects stay pending and hold up nobody', async () => {
    const storage = await open(await start({ profile: 'renterd' }));
    await storage.put('packs/aa/1', bytes(slabBytes));
    await storage.put('index/1', bytes(500));
    await storage.barrier(['packs/aa/1', 'index/1']);
    expect(await storage.pending(['packs/aa/1', 'index/1'])).toEqual(['index/1']);
  });

  test('pending ends when others fill the slab', async () => {
    const storage = await open(await start({ profile: 'renterd' }));
    await storage.put('index/1', bytes(500));
    await storage.put('packs/aa/odd', bytes(slabBytes - 6000));
    expect(await storage.pending(['index/1', 'packs/aa/odd'])).toEqual(['index/1', 'packs/aa/odd']);
    await storage.put('index/2', bytes(6000));
    expect(await storage.pending(['index/1', 'packs/aa/odd', 'index/2'])).toEqual(['index/2']);
  });

  test('whole slabs that did not reach the hosts hold up the barrier until they do', async () => {
    const on = await start({ profile: 'renterd' });
    const storage = await open(on);
    on.world.uploads = 'stuck';
    await storage.put('packs/aa/1', bytes(slabBytes));
    expect(await failure(storage.barrier(['packs/aa/1']))).toMatchObject({
      code: 'storage.unavailable',
      retry: 'later',
    });
    expect(await storage.pending(['packs/aa/1'])).toEqual(['packs/aa/1']);
    on.reachHosts();
    await storage.barrier(['packs/aa/1']);
    expect(await storage.pending(['packs/aa/1'])).toEqual([]);
  });

  test('what vanished with the disk of the gateway is pending again, and missing at the barrier', async () => {
    const on = await start({ profile: 'renterd' });
    const storage = await open(on);
    await storage.put('index/1', bytes(500));
    await on.losePending();
    expect(await storage.pending(['index/1'])).toEqual(['index/1']);
    await expectCode(storage.barrier(['index/1']), 'storage.not-found');
  });

  test('one request an object, and what is on hosts is not asked again after a failure', async () => {
    const on = await start({ profile: 'renterd' });
    const storage = await open(on);
    const all = Array.from({ length: 10 }, (_value, at) => `packs/${String(at)}`);
    for (const name of all) await storage.put(name, bytes(slabBytes));
    on.stats.reset();
    on.faults.add({
      operation: 'GET /api/bus/object/',
      key: 'packs/3',
      fault: { kind: 'status', status: 503, code: 'busy' },
    });
    await expectCode(storage.barrier(all), 'storage.unavailable');
    await storage.barrier(all);
    expect(on.stats.count('GET /api/bus/object/')).toBe(11);
    expect(on.stats.total()).toBe(11);
  });
});

describe('s3d', () => {
  test('a barrier flushes, and then nothing of it is pending', async () => {
    const on = await start({ profile: 's3d' });
    const storage = await open(on);
    await storage.put('packs/aa/1', bytes(1000));
    expect(await storage.pending(['packs/aa/1'])).toEqual(['packs/aa/1']);
    await storage.barrier(['packs/aa/1']);
    expect(on.stats.count('POST /objects/flush')).toBe(1);
    // Somebody else's objects make no difference.
    await storage.put('index/1', bytes(10));
    expect(await storage.pending(['packs/aa/1', 'index/1'])).toEqual(['index/1']);
  });

  test('nothing pending at all: no flush', async () => {
    const on = await start({ profile: 's3d' });
    const storage = await open(on);
    await storage.put('a', bytes(1000));
    await storage.barrier(['a']);
    await storage.barrier(['a']);
    expect(on.stats.count('POST /objects/flush')).toBe(1);
  });

  test('flushes are at least offsite.every apart, by the clock of the gateway, over processes too', async () => {
    const on = await start({ profile: 's3d' });
    const flushMemory = processFlushMemory();
    const first = await open(on, { flushMemory, offsiteEveryMs: 3_600_000 });
    await first.put('a', bytes(10));
    await first.barrier(['a']);
    const second = await open(on, { flushMemory, offsiteEveryMs: 3_600_000 });
    await second.put('b', bytes(10));
    await second.barrier(['b']);
    expect(on.stats.count('POST /objects/flush')).toBe(1);
    expect(await second.pending(['b'])).toEqual(['b']);
    on.faults.clockOffsetMs = 3_601_000;
    await failure(second.put('c', bytes(10)));
    await second.barrier(['b']);
    expect(on.stats.count('POST /objects/flush')).toBe(2);
    expect(await second.pending(['b'])).toEqual([]);
  });

  test('an older flush covers what was there a second before it, whoever asks', async () => {
    const on = await start({ profile: 's3d' });
    const flushMemory = processFlushMemory();
    const writer = await open(on, { flushMemory });
    await writer.put('a', bytes(10));
    on.faults.clockOffsetMs = 2000;
    await writer.barrier(['a']);
    await writer.put('b', bytes(10));
    const other = await open(on, { flushMemory });
    expect(await other.pending(['a', 'b'])).toEqual(['b']);
  });

  test('a flush that fails is no proof', async () => {
    const on = await start({ profile: 's3d' });
    const storage = await open(on);
    await storage.put('a', bytes(10));
    on.world.uploads = 'stuck';
    expect(await failure(storage.barrier(['a']))).toMatchObject({ code: 'storage.unavailable', retry: 'later' });
    expect(await storage.pending(['a'])).toEqual(['a']);
    on.world.uploads = 'working';
    await storage.barrier(['a']);
    expect(await storage.pending(['a'])).toEqual([]);
  });

  test('barriers at once share what they can: the second finds nothing left to do', async () => {
    const on = await start({ profile: 's3d' });
    const storage = await open(on, { offsiteEveryMs: 0 });
    for (const name of ['a', 'b']) await storage.put(name, bytes(10));
    await Promise.all([storage.barrier(['a']), storage.barrier(['b']), storage.barrier(['a', 'b'])]);
    expect(on.stats.count('POST /objects/flush')).toBe(1);
  });

  test('a missing object is told by the barrier and stays pending', async () => {
    const storage = await open(await start({ profile: 's3d' }));
    await expectCode(storage.barrier(['absent']), 'storage.not-found');
    expect(await storage.pending(['absent'])).toEqual(['absent']);
  });

  test('a PUT that the gateway holds up for two minutes is no failure of progress', async () => {
    const clock = new FakeClock(systemClock.now());
    const on = await start({ profile: 's3d', clock, diskLimitBytes: 1500 });
    // The gateway's time stands still for real requests; its two minutes pass at once.
    const storage = await open(on, { clock: systemClock });
    await storage.put('a', bytes(1000));
    const held = storage.put('b', bytes(1000));
    expect(await clock.run(failure(held))).toMatchObject({
      code: 'storage.unavailable',
      retry: 'later',
      context: { s3Code: 'SlowDown' },
    });
  });
});
