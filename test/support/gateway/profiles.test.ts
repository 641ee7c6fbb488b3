import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureOf, sdkClient } from './client.fixture.ts';
import { type Gateway, startGateway } from './gateway.ts';
import type { ProfileName } from './profiles.ts';

const Bucket = 'nestegg';

/** One row per profile: what the AWS SDK sees of each quirk. */
interface Row {
  readonly profile: ProfileName;
  /** Result of `If-None-Match: *` on an existing key. */
  readonly conditionalPut: number;
  readonly replaces: boolean;
  readonly rangeStatus: number;
  readonly suffix: number;
  readonly pastEnd: number;
  readonly deleteMissing: number;
  /** A stream with the SDK's default checksums. */
  readonly defaultStream: number;
  readonly wrongSecret: string;
  readonly otherDelimiter: number;
  /** Status of PutObjectRetention, and whether the bytes survive it. */
  readonly retention: number;
  readonly survivesRetention: boolean;
  readonly wrongMd5: number;
  /** DeleteObjects as the SDK sends it, without Content-MD5. */
  readonly multiDelete: number;
}

const aws: Row = {
  profile: 'aws',
  conditionalPut: 412,
  replaces: false,
  rangeStatus: 206,
  suffix: 206,
  pastEnd: 206,
  deleteMissing: 204,
  defaultStream: 200,
  wrongSecret: 'SignatureDoesNotMatch',
  otherDelimiter: 200,
  retention: 501,
  survivesRetention: true,
  wrongMd5: 400,
  multiDelete: 200,
};

const rows: readonly Row[] = [
  aws,
  {
    ...aws,
    profile: 'renterd',
    conditionalPut: 200,
    replaces: true,
    rangeStatus: 200,
    suffix: 501,
    pastEnd: 500,
    deleteMissing: 500,
    defaultStream: 403,
    wrongSecret: 'AccessDenied',
    otherDelimiter: 501,
    retention: 200,
    survivesRetention: false,
    wrongMd5: 500,
  },
  { ...aws, profile: 's3d' },
  { ...aws, profile: 'b2', conditionalPut: 501 },
  { ...aws, profile: 'gcs', conditionalPut: 200, replaces: true, multiDelete: 501 },
  {
    ...aws,
    profile: 'swift',
    conditionalPut: 501,
    defaultStream: 501,
    retention: 200,
    survivesRetention: false,
    multiDelete: 400,
  },
];

describe.each(rows)('profile $profile through the AWS SDK', (row) => {
  let gateway: Gateway;
  let client: S3Client;
  beforeAll(async () => {
    gateway = await startGateway({ profile: row.profile });
    client = sdkClient(gateway);
  });
  afterAll(async () => {
    client.destroy();
    await gateway.close();
  });
  const put = (Key: string, Body: string): Promise<unknown> => client.send(new PutObjectCommand({ Bucket, Key, Body }));
  const status = async (work: Promise<{ $metadata: { httpStatusCode?: number } }>): Promise<number> =>
    work.then(
      (answer) => answer.$metadata.httpStatusCode ?? 0,
      async (error: unknown) => (await failureOf(Promise.reject(error as Error))).status,
    );
  const stored = async (key: string): Promise<string> => Buffer.from((await gateway.peek(key)) ?? []).toString();

  test('puts, reads and heads, with an ETag that is the MD5', async () => {
    await put('plain', 'hello');
    const answer = await client.send(new GetObjectCommand({ Bucket, Key: 'plain' }));
    expect(await answer.Body?.transformToString()).toBe('hello');
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'plain' }));
    expect([head.ContentLength, head.ETag]).toEqual([5, '"5d41402abc4b2a76b9719d911017c592"']);
    expect(await failureOf(client.send(new HeadObjectCommand({ Bucket, Key: 'absent' })))).toMatchObject({
      status: 404,
    });
  });

  test(`If-None-Match on an existing key answers ${String(row.conditionalPut)}`, async () => {
    await put('condition', 'first');
    const again = client.send(new PutObjectCommand({ Bucket, Key: 'condition', Body: 'second', IfNoneMatch: '*' }));
    expect(await status(again)).toBe(row.conditionalPut);
    expect(await stored('condition')).toBe(row.replaces ? 'second' : 'first');
  });

  test(`a range inside answers ${String(row.rangeStatus)} with Content-Range`, async () => {
    await put('range', '0123456789');
    const answer = await client.send(new GetObjectCommand({ Bucket, Key: 'range', Range: 'bytes=2-4' }));
    expect(answer.$metadata.httpStatusCode).toBe(row.rangeStatus);
    expect(answer.ContentRange).toBe('bytes 2-4/10');
    expect(await answer.Body?.transformToString()).toBe('234');
  });

  test(`a suffix range answers ${String(row.suffix)}, one past the end ${String(row.pastEnd)}`, async () => {
    await put('ends', '0123456789');
    const read = (Range: string): Promise<number> =>
      status(client.send(new GetObjectCommand({ Bucket, Key: 'ends', Range })));
    expect(await read('bytes=-3')).toBe(row.suffix);
    expect(await read('bytes=8-20')).toBe(row.pastEnd);
  });

  test(`DELETE of a missing key answers ${String(row.deleteMissing)}`, async () => {
    await put('deleted', 'x');
    expect(await status(client.send(new DeleteObjectCommand({ Bucket, Key: 'deleted' })))).toBe(204);
    expect(await status(client.send(new DeleteObjectCommand({ Bucket, Key: 'deleted' })))).toBe(row.deleteMissing);
  });

  test(`a stream with the SDK's default checksums answers ${String(row.defaultStream)}`, async () => {
    const loose = sdkClient(gateway, 'default');
    const Body = Readable.from([Buffer.from('hello')]);
    expect(await status(loose.send(new PutObjectCommand({ Bucket, Key: 'stream', Body, ContentLength: 5 })))).toBe(
      row.defaultStream,
    );
    if (row.defaultStream === 200) expect(await stored('stream')).toBe('hello');
    loose.destroy();
  });

  test(`a wrong secret is ${row.wrongSecret}`, async () => {
    const stranger = sdkClient({ ...gateway, secretKey: 'x'.repeat(40) });
    const work = stranger.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }));
    expect(await failureOf(work)).toEqual({ status: 403, code: row.wrongSecret });
    stranger.destroy();
  });

  test(`a delimiter other than / answers ${String(row.otherDelimiter)}`, async () => {
    await put('tree/a/1', 'x');
    await put('tree/a/2', 'x');
    await put('tree/b', 'x');
    const list = (Delimiter: string) => client.send(new ListObjectsV2Command({ Bucket, Prefix: 'tree/', Delimiter }));
    const slash = await list('/');
    expect(slash.CommonPrefixes).toEqual([{ Prefix: 'tree/a/' }]);
    expect(slash.Contents?.map((object) => object.Key)).toEqual(['tree/b']);
    expect(await status(list('a'))).toBe(row.otherDelimiter);
  });

  test(`PutObjectRetention ${row.survivesRetention ? 'is refused' : 'replaces the bytes of the object'}`, async () => {
    await put('locked', 'precious');
    const Retention = { Mode: 'COMPLIANCE' as const, RetainUntilDate: new Date('2030-01-01') };
    expect(await status(client.send(new PutObjectRetentionCommand({ Bucket, Key: 'locked', Retention })))).toBe(
      row.retention,
    );
    const bytes = await stored('locked');
    if (row.survivesRetention) expect(bytes).toBe('precious');
    else expect(bytes).toContain('<Retention');
  });

  test(`a wrong Content-MD5 answers ${String(row.wrongMd5)} and stores nothing`, async () => {
    const wrong = { Bucket, Key: 'md5', Body: 'hello', ContentMD5: Buffer.alloc(16).toString('base64') };
    expect(await status(client.send(new PutObjectCommand(wrong)))).toBe(row.wrongMd5);
    expect(await gateway.peek('md5')).toBeUndefined();
  });

  test(`DeleteObjects without Content-MD5 answers ${String(row.multiDelete)}`, async () => {
    await put('many', 'x');
    const Delete = { Objects: [{ Key: 'many' }, { Key: 'never-there' }] };
    expect(await status(client.send(new DeleteObjectsCommand({ Bucket, Delete })))).toBe(row.multiDelete);
    expect((await gateway.peek('many')) === undefined).toBe(row.multiDelete === 200);
  });

  test('a listing pages through all keys in order', async () => {
    for (let n = 0; n < 5; n++) await put(`page/${String(n)}`, 'x');
    const seen: (string | undefined)[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await client.send(
        new ListObjectsV2Command({
          Bucket,
          Prefix: 'page/',
          MaxKeys: 2,
          ...(ContinuationToken && { ContinuationToken }),
        }),
      );
      seen.push(...(page.Contents ?? []).map((object) => object.Key));
      ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
    expect(seen).toEqual([0, 1, 2, 3, 4].map((n) => `page/${String(n)}`));
  });
});
