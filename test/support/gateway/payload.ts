import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { header, readBody, S3Failure } from './http.ts';
import type { Quirks } from './profiles.ts';

const trailerMode = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

/** Refuses what can be refused before the body is read. @throws S3Failure */
export function checkPayloadMode(request: IncomingMessage, quirks: Quirks): void {
  const mode = header(request, 'x-amz-content-sha256');
  if (mode === trailerMode) {
    if (quirks.trailerPayload === 'forbidden') throw new S3Failure(403, 'AccessDenied', 'Access Denied');
    if (quirks.trailerPayload === 'refused')
      throw new S3Failure(501, 'NotImplemented', 'aws-chunked is not implemented');
    return;
  }
  if (mode.startsWith('STREAMING-')) throw new S3Failure(501, 'NotImplemented', 'signed streaming is not implemented');
  if (request.method === 'PUT' && header(request, 'content-length') === '') {
    throw new S3Failure(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.');
  }
}

/** The object's bytes, checked against Content-MD5 and, where the profile does so, the signed SHA-256. @throws S3Failure */
export async function readPayload(request: IncomingMessage, quirks: Quirks): Promise<Buffer> {
  const raw = await readBody(request);
  const mode = header(request, 'x-amz-content-sha256');
  const bytes = mode === trailerMode ? decodeChunked(raw) : raw;
  const wantedMd5 = header(request, 'content-md5');
  if (wantedMd5 !== '' && createHash('md5').update(bytes).digest('base64') !== wantedMd5) {
    const status = quirks.wrongMd5 === 'BadDigest' ? 400 : 500;
    throw new S3Failure(status, quirks.wrongMd5, 'The Content-MD5 you specified did not match what we received.');
  }
  if (quirks.checksSha256 && /^[0-9a-f]{64}$/.test(mode) && createHash('sha256').update(bytes).digest('hex') !== mode) {
    throw new S3Failure(400, 'XAmzContentSHA256Mismatch', 'The provided x-amz-content-sha256 header does not match.');
  }
  return bytes;
}

/** Removes the framing of aws-chunked: `<hex length>[;...]\r\n<bytes>\r\n`, until a chunk of length 0. @throws S3Failure */
function decodeChunked(raw: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = raw.indexOf('\r\n', at);
    const length = lineEnd < 0 ? Number.NaN : parseInt(raw.toString('latin1', at, lineEnd), 16);
    if (!(length >= 0) || lineEnd + 2 + length > raw.byteLength) {
      throw new S3Failure(400, 'IncompleteBody', 'The chunked body is broken.');
    }
    if (length === 0) return Buffer.concat(parts);
    parts.push(raw.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
}
