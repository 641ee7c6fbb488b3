import type { IncomingMessage } from 'node:http';
import { S3Failure } from './http.ts';

/** One S3 request, parsed. `key` is '' for requests about the bucket. */
export interface S3Request {
  readonly operation: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly raw: IncomingMessage;
}

/** Query parameters that turn a request into one about something else than the object's bytes. */
const subResources = [
  'retention',
  'legal-hold',
  'tagging',
  'acl',
  'uploads',
  'uploadId',
  'restore',
  'torrent',
  'attributes',
];
const bucketSubResources = ['versioning', 'object-lock', 'policy', 'lifecycle', 'acl', 'tagging', 'cors', 'encryption'];

/** Path-style addressing only. @throws S3Failure for a malformed path. */
export function parseRequest(raw: IncomingMessage): S3Request {
  const [path = '', queryText = ''] = (raw.url ?? '/').split('?', 2);
  const query = new URLSearchParams(queryText);
  const [, bucket = '', ...rest] = path.split('/');
  let key: string;
  try {
    key = decodeURIComponent(rest.join('/'));
  } catch (error) {
    throw new S3Failure(400, 'InvalidURI', String(error));
  }
  return { operation: operationOf(raw.method ?? '', bucket, key, query), bucket, key, query, raw };
}

function operationOf(method: string, bucket: string, key: string, query: URLSearchParams): string {
  if (bucket === '') return 'ListBuckets';
  return key === '' ? bucketOperation(method, query) : objectOperation(method, query);
}

function bucketOperation(method: string, query: URLSearchParams): string {
  const sub = bucketSubResources.find((name) => query.has(name));
  if (sub !== undefined) return `${method} bucket?${sub}`;
  switch (method) {
    case 'PUT':
      return 'CreateBucket';
    case 'HEAD':
      return 'HeadBucket';
    case 'POST':
      return query.has('delete') ? 'DeleteObjects' : 'POST bucket';
    case 'GET':
      return query.get('list-type') === '2' ? 'ListObjectsV2' : 'ListObjects';
    default:
      return `${method} bucket`;
  }
}

function objectOperation(method: string, query: URLSearchParams): string {
  const sub = subResources.find((name) => query.has(name));
  if (sub !== undefined) return `${method} object?${sub}`;
  const names: Readonly<Record<string, string>> = {
    PUT: 'PutObject',
    GET: 'GetObject',
    HEAD: 'HeadObject',
    DELETE: 'DeleteObject',
  };
  return names[method] ?? `${method} object`;
}
