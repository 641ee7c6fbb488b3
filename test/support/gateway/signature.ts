/** AWS Signature Version 4 in the Authorization header, checked as a server does ("Authenticating Requests", S3 API Reference). */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { header, S3Failure } from './http.ts';
import type { Quirks } from './profiles.ts';

export interface AccessKeys {
  readonly accessKey: string;
  readonly secretKey: string;
}

const shape =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;

/** @throws S3Failure 403 unless the request is signed with the right keys and at the right time. */
export function checkSignature(request: IncomingMessage, keys: AccessKeys, quirks: Quirks, nowMs: number): void {
  const match = shape.exec(header(request, 'authorization'));
  // A presigned URL or no signature at all: anonymous, and nobody may do anything anonymously.
  if (!match) throw new S3Failure(403, 'AccessDenied', 'Access Denied');
  const [, accessKey = '', day = '', region = '', signedHeaders = '', signature = ''] = match;
  if (accessKey !== keys.accessKey) throw new S3Failure(403, wrongKeyCode(quirks), 'unknown access key');
  const stamp = header(request, 'x-amz-date');
  const skewMs = Math.abs(parseStamp(stamp) - nowMs);
  if (!(skewMs <= quirks.maxSkewMs)) {
    throw new S3Failure(
      403,
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
    );
  }
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = `AWS4-HMAC-SHA256\n${stamp}\n${scope}\n${sha256(canonicalRequest(request, signedHeaders))}`;
  let key: Buffer | string = `AWS4${keys.secretKey}`;
  for (const part of [day, region, 's3', 'aws4_request']) key = hmac(key, part);
  if (!timingSafeEqual(hmac(key, toSign), Buffer.from(signature, 'hex'))) {
    throw new S3Failure(403, quirks.badSignature, 'The request signature does not match.');
  }
}

function wrongKeyCode(quirks: Quirks): string {
  return quirks.badSignature === 'AccessDenied' ? 'AccessDenied' : 'InvalidAccessKeyId';
}

function canonicalRequest(request: IncomingMessage, signedHeaders: string): string {
  const [path = '', query = ''] = (request.url ?? '/').split('?', 2);
  const headers = signedHeaders
    .split(';')
    .map((name) => `${name}:${header(request, name).trim().replace(/ +/g, ' ')}\n`)
    .join('');
  const payload = header(request, 'x-amz-content-sha256');
  return [request.method ?? '', path, canonicalQuery(query), headers, signedHeaders, payload].join('\n');
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  return query
    .split('&')
    .map((pair) => {
      const [name = '', value = ''] = pair.split('=', 2);
      return [encode(name), encode(value)] as const;
    })
    .sort(([a, x], [b, y]) => (a < b || (a === b && x < y) ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

function encode(text: string): string {
  return encodeURIComponent(decodeURIComponent(text)).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** `20261121T040000Z` as milliseconds; NaN when it is none. */
function parseStamp(stamp: string): number {
  return Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
