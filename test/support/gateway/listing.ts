import { escapeXml, S3Failure, type Answer } from './http.ts';
import type { Objects } from './objects.ts';
import type { Quirks } from './profiles.ts';
import type { S3Request } from './s3-request.ts';

interface Page {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  readonly truncated: boolean;
  /** The last key or common prefix of this page. */
  readonly last: string;
}

interface Question {
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: string;
  readonly limit: number;
}

/** ListObjects and ListObjectsV2. `missing`: so many of the newest objects are not in it (a stale listing). */
export function listObjects(request: S3Request, objects: Objects, quirks: Quirks, missing: number): Answer {
  const { bucket } = request;
  const version2 = request.operation === 'ListObjectsV2';
  const question = questionOf(request.query, version2);
  const { prefix, delimiter, after, limit } = question;
  if (quirks.delimiter === 'slash' && delimiter !== '' && delimiter !== '/') {
    throw new S3Failure(501, 'NotImplemented', 'delimiter must be /');
  }
  const hidden = newest(objects, bucket, missing);
  const page = pageOf(
    objects.keys(bucket).filter((key) => !hidden.has(key)),
    question,
  );
  const found = page.keys.length + page.prefixes.length;
  const withToken = page.truncated || (quirks.tokenOnLastPage && found === limit);
  const body = [
    '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
    element('Name', bucket) + element('Prefix', prefix) + element('MaxKeys', String(limit)),
    delimiter === '' ? '' : element('Delimiter', delimiter),
    element('IsTruncated', String(page.truncated)),
    version2 ? element('KeyCount', String(found)) : element('Marker', after),
    withToken ? element(version2 ? 'NextContinuationToken' : 'NextMarker', nextToken(page.last, version2)) : '',
    ...page.keys.map((key) => contents(objects, bucket, key)),
    ...page.prefixes.map((common) => `<CommonPrefixes>${element('Prefix', common)}</CommonPrefixes>`),
    '</ListBucketResult>',
  ].join('');
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}

function questionOf(query: URLSearchParams, version2: boolean): Question {
  const token = query.get('continuation-token');
  return {
    prefix: query.get('prefix') ?? '',
    delimiter: query.get('delimiter') ?? '',
    after: token === null ? (query.get(version2 ? 'start-after' : 'marker') ?? '') : decodeToken(token),
    limit: Math.min(1000, Math.max(1, Number(query.get('max-keys') ?? 1000))),
  };
}

function pageOf(all: readonly string[], { prefix, delimiter, after, limit }: Question): Page {
  const keys: string[] = [];
  const prefixes: string[] = [];
  let last = '';
  for (const key of all) {
    if (!key.startsWith(prefix)) continue;
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const item = cut < 0 ? key : key.slice(0, cut + delimiter.length);
    if (compare(item, after) <= 0 || item === last) continue;
    if (keys.length + prefixes.length === limit) return { keys, prefixes, truncated: true, last };
    (cut < 0 ? keys : prefixes).push(item);
    last = item;
  }
  return { keys, prefixes, truncated: false, last };
}

function newest(objects: Objects, bucket: string, count: number): ReadonlySet<string> {
  if (count === 0) return new Set();
  const recent = objects.all().filter((object) => object.bucket === bucket);
  return new Set(recent.slice(-count).map((object) => object.key));
}

function contents(objects: Objects, bucket: string, key: string): string {
  const object = objects.get(bucket, key);
  if (object === undefined) return '';
  const fields =
    element('Key', key) +
    element('LastModified', new Date(object.modifiedMs).toISOString()) +
    element('ETag', `"${object.etag}"`) +
    element('Size', String(object.sizeBytes)) +
    element('StorageClass', 'STANDARD');
  return `<Contents>${fields}</Contents>`;
}

function element(name: string, text: string): string {
  return `<${name}>${escapeXml(text)}</${name}>`;
}

function nextToken(last: string, version2: boolean): string {
  return version2 ? Buffer.from(last).toString('base64url') : last;
}

function decodeToken(token: string): string {
  return Buffer.from(token, 'base64url').toString('utf8');
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
