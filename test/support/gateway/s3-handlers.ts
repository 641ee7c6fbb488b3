import type { Clock } from '../../../src/core/clock.ts';
import type { Fault } from './faults.ts';
import { type Answer, header, S3Failure } from './http.ts';
import { listObjects } from './listing.ts';
import { deleteObjects } from './multi-delete.ts';
import type { Objects, Precondition } from './objects.ts';
import { checkPayloadMode, readPayload } from './payload.ts';
import type { Quirks } from './profiles.ts';
import { parseRange } from './ranges.ts';
import type { S3Request } from './s3-request.ts';
import type { SiaWorld } from './sia-world.ts';
import type { Stats } from './stats.ts';

export interface HandlerContext {
  readonly objects: Objects;
  readonly quirks: Quirks;
  readonly world: SiaWorld;
  readonly stats: Stats;
  readonly clock: Clock;
}

export interface CallContext extends HandlerContext {
  readonly fault: Fault | undefined;
  /** Aborts when the client has gone away. */
  readonly gone: AbortSignal;
  nowMs(): number;
}

type Handler = (request: S3Request, context: CallContext) => Promise<Answer>;

/** By operation name; `other` answers everything else. */
export const handlers: Readonly<Record<string, Handler>> = {
  ListBuckets: (_request, context) => Promise.resolve(listBuckets(context.objects)),
  CreateBucket: (request, context) => Promise.resolve(createBucket(request, context.objects)),
  HeadBucket: (request, context) => {
    requireBucket(request, context.objects);
    return Promise.resolve({ status: 200 });
  },
  ListObjects: listing,
  ListObjectsV2: listing,
  PutObject: putObject,
  GetObject: getObject,
  HeadObject: headObject,
  DeleteObject: deleteObject,
  DeleteObjects: async (request, context) => {
    requireBucket(request, context.objects);
    return deleteObjects(request, context.objects, context.quirks);
  },
  other: otherOperation,
};

function listBuckets(objects: Objects): Answer {
  const names = objects.buckets().map((name) => `<Bucket><Name>${name}</Name></Bucket>`);
  return { status: 200, body: `<ListAllMyBucketsResult><Buckets>${names.join('')}</Buckets></ListAllMyBucketsResult>` };
}

function createBucket(request: S3Request, objects: Objects): Answer {
  if (!objects.makeBucket(request.bucket)) throw new S3Failure(409, 'BucketAlreadyExists');
  return { status: 200 };
}

function listing(request: S3Request, { objects, quirks, fault }: CallContext): Promise<Answer> {
  requireBucket(request, objects);
  return Promise.resolve(listObjects(request, objects, quirks, fault?.kind === 'stale-list' ? fault.missing : 0));
}

async function putObject(request: S3Request, context: CallContext): Promise<Answer> {
  const { objects, quirks, world } = context;
  requireBucket(request, objects);
  checkPayloadMode(request.raw, quirks);
  const precondition = conditionOf(request, quirks);
  await waitForRoom(request, context);
  const bytes = await readPayload(request.raw, quirks);
  context.stats.bytesIn += bytes.byteLength;
  if (context.fault?.kind === 'lose') return { status: 200, headers: { etag: '"00000000000000000000000000000000"' } };
  const target = {
    bucket: request.bucket,
    key: request.key,
    contentType: header(request.raw, 'content-type'),
    modifiedMs: context.nowMs(),
    hostsReachable: world.uploads === 'working',
  };
  const stored = await objects.put(target, bytes, precondition);
  if (stored === undefined) throw new S3Failure(412, 'PreconditionFailed');
  return { status: 200, headers: { etag: `"${stored.etag}"` } };
}

function conditionOf(request: S3Request, quirks: Quirks): Precondition {
  const noneMatch = header(request.raw, 'if-none-match');
  const match = header(request.raw, 'if-match');
  if (noneMatch === '' && match === '') return () => true;
  if (quirks.conditions === 'refused') throw new S3Failure(501, 'NotImplemented', 'conditional PUT is not implemented');
  if (quirks.conditions === 'ignored') return () => true;
  return (current) =>
    (noneMatch === '' || current === undefined) && (match === '' || `"${current?.etag ?? ''}"` === match);
}

/** s3d waits without reading the body while its disk is full of what is not uploaded yet. */
async function waitForRoom(request: S3Request, context: CallContext): Promise<void> {
  const { quirks, objects, world, clock, gone } = context;
  const sizeBytes = Number(header(request.raw, 'content-length') || 0);
  let waitedMs = 0;
  while (quirks.stallWhenFullMs > 0 && objects.pending().bytes + sizeBytes > world.diskLimitBytes) {
    if (waitedMs >= quirks.stallWhenFullMs) throw new S3Failure(503, 'SlowDown', 'Please reduce your request rate.');
    await clock.sleep(1000, { signal: gone });
    waitedMs += 1000;
  }
}

async function getObject(request: S3Request, context: CallContext): Promise<Answer> {
  const { objects, quirks } = context;
  requireBucket(request, objects);
  const object = objects.get(request.bucket, request.key);
  if (object === undefined) throw new S3Failure(404, 'NoSuchKey', 'The specified key does not exist.');
  const range = parseRange(header(request.raw, 'range'), object.sizeBytes, quirks);
  const headers: Record<string, string> = objectHeaders(object);
  if (range === undefined) return { status: 200, headers, body: await objects.read(object) };
  headers['content-range'] = `bytes ${String(range.start)}-${String(range.end - 1)}/${String(object.sizeBytes)}`;
  return { status: quirks.rangeStatus, headers, body: await objects.read(object, range.start, range.end) };
}

function headObject(request: S3Request, { objects }: CallContext): Promise<Answer> {
  requireBucket(request, objects);
  const object = objects.get(request.bucket, request.key);
  if (object === undefined) throw new S3Failure(404, 'NotFound');
  const headers = { ...objectHeaders(object), 'content-length': String(object.sizeBytes) };
  return Promise.resolve({ status: 200, headers });
}

function objectHeaders(object: { etag: string; modifiedMs: number; contentType: string }): Record<string, string> {
  return {
    etag: `"${object.etag}"`,
    'last-modified': new Date(object.modifiedMs).toUTCString(),
    'content-type': object.contentType === '' ? 'application/octet-stream' : object.contentType,
    'accept-ranges': 'bytes',
  };
}

async function deleteObject(request: S3Request, { objects, quirks }: CallContext): Promise<Answer> {
  requireBucket(request, objects);
  const existed = await objects.delete(request.bucket, request.key);
  if (!existed && quirks.deleteMissing === 'failed') throw new S3Failure(500, 'InternalError', 'object not found');
  return { status: 204 };
}

/** `PUT key?retention` and the like: on some servers a plain PUT, which replaces the object's bytes by the XML. */
async function otherOperation(request: S3Request, context: CallContext): Promise<Answer> {
  const plainPut = request.raw.method === 'PUT' && request.key !== '' && context.quirks.subResource === 'overwrites';
  if (plainPut) return putObject(request, context);
  throw new S3Failure(501, 'NotImplemented', `${request.operation} is not implemented`);
}

function requireBucket(request: S3Request, objects: Objects): void {
  if (!objects.hasBucket(request.bucket)) {
    throw new S3Failure(404, 'NoSuchBucket', 'The specified bucket does not exist');
  }
}
