import { S3Failure } from './http.ts';
import type { Quirks } from './profiles.ts';

/** Bytes `[start, end)`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What a `Range` header asks of an object; `undefined`: all of it. @throws S3Failure as the profile answers. */
export function parseRange(header: string, sizeBytes: number, quirks: Quirks): ByteRange | undefined {
  if (header === '') return undefined;
  const match = /^bytes=(\d*)-(\d*)$/.exec(header);
  if (!match || (match[1] === '' && match[2] === '')) {
    if (quirks.suffixRange === 'refused') throw new S3Failure(501, 'NotImplemented', 'several ranges');
    return undefined;
  }
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (quirks.suffixRange === 'refused') throw new S3Failure(501, 'NotImplemented', 'suffix range');
    return { start: Math.max(0, sizeBytes - Number(last)), end: sizeBytes };
  }
  const start = Number(first);
  const end = last === '' ? sizeBytes : Number(last) + 1;
  if (end > sizeBytes && quirks.rangePastEnd === 'failed')
    throw new S3Failure(500, 'InternalError', 'range past the end');
  if (start >= sizeBytes || end <= start)
    throw new S3Failure(416, 'InvalidRange', 'The requested range is not satisfiable');
  return { start, end: Math.min(end, sizeBytes) };
}
