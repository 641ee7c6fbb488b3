import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  type S3ServiceException,
} from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { FakeClock } from '../fake-clock.ts';
import { failureOf, sdkClient } from './client.fixture.ts';
import type { Fault } from './faults.ts';
import { type Gateway, startGateway } from './gateway.ts';

const Bucket = 'nestegg';

describe('faults, as the AWS SDK sees them', () => {
  let gateway: Gateway;
  let client: S3Client;
  beforeEach(async () => {
    gateway = await startGateway({ profile: 'aws' });
    client = sdkClient(gateway);
  });
  afterEach(async () => {
    client.destroy();
    await gateway.close();
  });
  const put = (Key = 'a', Body = '0123456789') => client.send(new PutObjectCommand({ Bucket, Key, Body }));
  const read = async (): Promise<string | undefined> => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'a' }));
    return Body?.transformToString();
  };
  const onGet = (fault: Fault) => gateway.faults.add({ fault, operation: 'GetObject' });

  test('a burst of 503 SlowDown with Retry-After, and then it is over', async () => {
    const struck = gateway.faults.add({
      fault: { kind: 'status', status: 503, code: 'SlowDown', retryAfterSeconds: 7 },
      times: 3,
    });
    for (let n = 0; n < 3; n++) {
      const error = await put().then(
        () => expect.fail('it should have failed'),
        (thrown: unknown) => thrown as S3ServiceException,
      );
      expect([error.$metadata.httpStatusCode, error.name]).toEqual([503, 'SlowDown']);
      expect(error.$response?.headers['retry-after']).toBe('7');
    }
    await put();
    expect(struck()).toBe(3);
  });

  test('500 after the commit: the object is there', async () => {
    gateway.faults.add({ fault: { kind: 'fail-after-commit' }, operation: 'PutObject' });
    expect(await failureOf(put())).toEqual({ status: 500, code: 'InternalError' });
    expect(await read()).toBe('0123456789');
  });

  test('a connection lost after the commit: the object is there', async () => {
    gateway.faults.add({ fault: { kind: 'reset-after-commit' }, operation: 'PutObject' });
    await expect(put()).rejects.toThrow();
    expect(await read()).toBe('0123456789');
  });

  test('a connection lost before: nothing is there', async () => {
    gateway.faults.add({ fault: { kind: 'reset' } });
    await expect(put()).rejects.toThrow();
    expect(gateway.keys()).toEqual([]);
  });

  test('a body cut off at a byte is an error', async () => {
    await put();
    onGet({ kind: 'cut', atByte: 4 });
    await expect(read()).rejects.toThrow('aborted');
    expect(await read()).toBe('0123456789');
  });

  test('a body truncated without a length looks complete', async () => {
    await put();
    onGet({ kind: 'truncate', atByte: 4 });
    expect(await read()).toBe('0123');
  });

  test('a byte is changed on the way', async () => {
    await put();
    onGet({ kind: 'corrupt', atByte: 4 });
    expect(await read()).toBe('0123556789');
  });

  test('a body that stalls goes on for ever', async () => {
    await put();
    onGet({ kind: 'stall', atByte: 4 });
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'a' }));
    const chunks = (Body as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    expect(String((await chunks.next()).value)).toBe('0123');
    const next = chunks.next().then(() => 'more');
    expect(await Promise.race([next.catch(() => 'broken'), put('b').then(() => 'nothing')])).toBe('nothing');
    await gateway.close();
    await expect(next).rejects.toThrow();
  });

  test('a PUT is acknowledged and forgotten', async () => {
    gateway.faults.add({ fault: { kind: 'lose' }, operation: 'PutObject' });
    expect((await put()).$metadata.httpStatusCode).toBe(200);
    expect(gateway.keys()).toEqual([]);
  });

  test('a stale listing lacks the newest object', async () => {
    await put('a');
    await put('b');
    gateway.faults.add({ fault: { kind: 'stale-list', missing: 1 }, operation: 'ListObjectsV2' });
    const keys = async () => (await client.send(new ListObjectsV2Command({ Bucket }))).Contents?.map(({ Key }) => Key);
    expect(await keys()).toEqual(['a']);
    expect(await keys()).toEqual(['a', 'b']);
  });

  test('a clock that is off refuses signatures until the client has seen its time', async () => {
    gateway.faults.clockOffsetMs = 3_600_000;
    expect(await failureOf(put())).toEqual({ status: 403, code: 'RequestTimeTooSkewed' });
    expect((await put()).$metadata.httpStatusCode).toBe(200);
  });

  test('requests are counted by operation, those that fail too', async () => {
    gateway.faults.add({ fault: { kind: 'reset' } });
    await expect(put()).rejects.toThrow();
    await put();
    await read();
    expect(gateway.stats.counts()).toEqual({ PutObject: 2, GetObject: 1 });
    expect(gateway.stats.total()).toBe(3);
    expect([gateway.stats.bytesIn, gateway.stats.bytesOut]).toEqual([10, 10]);
  });
});

test('profile flaky: every fifth request is sent away with 503, every fourth PUT fails after the commit', async () => {
  const gateway = await startGateway({ profile: 'flaky' });
  const client = sdkClient(gateway);
  const outcomes: string[] = [];
  for (let n = 1; n <= 10; n++) {
    const work = client.send(new PutObjectCommand({ Bucket, Key: `k${String(n)}`, Body: 'x' }));
    outcomes.push(
      await work.then(
        () => 'ok',
        (error: unknown) => (error as Error).name,
      ),
    );
  }
  client.destroy();
  expect(outcomes).toEqual([
    'ok',
    'ok',
    'ok',
    'InternalError',
    'SlowDown',
    'ok',
    'ok',
    'InternalError',
    'ok',
    'SlowDown',
  ]);
  expect(gateway.keys()).toEqual(['k1', 'k2', 'k3', 'k4', 'k6', 'k7', 'k8', 'k9']);
  await gateway.close();
});

test('latency is waited for on the injected clock', async () => {
  const clock = new FakeClock(systemClock.now());
  const gateway = await startGateway({ profile: 'aws', clock, latencyMs: 200 });
  const client = sdkClient(gateway);
  const began = clock.monotonic();
  for (let n = 0; n < 5; n++) await clock.run(client.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' })));
  expect(clock.monotonic() - began).toBe(1000);
  client.destroy();
  await gateway.close();
});
