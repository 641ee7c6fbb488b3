import { Readable } from 'node:stream';
import { StorageError } from '../../../core/errors.ts';
import { paceAll } from '../calls.ts';
import type { Pace } from '../storage.ts';
import type { S3Call } from './s3-errors.ts';

/** Longest body that is taken: a pack of the largest size with room for its trailer. */
const longestBytes = 300 * 2 ** 20;

/**
 * All bytes of a response, exactly as many as it announced. Without an announced length they are taken as they come;
 * the caller must compare.
 * @throws StorageError `storage.corrupt` for a short or long answer.
 */
export async function readBody(
  call: S3Call,
  body: unknown,
  announcedBytes: number | undefined,
  pace: Pace | undefined,
): Promise<Uint8Array> {
  if (!(body instanceof Readable)) throw new TypeError('the SDK returned no readable body');
  const limit = announcedBytes ?? longestBytes;
  const parts: Uint8Array[] = [];
  let received = 0;
  try {
    if (limit > longestBytes)
      throw wrongLength(call, `announced ${String(limit)} bytes, more than any object has`, 'never');
    for await (const part of body as AsyncIterable<Uint8Array>) {
      received += part.byteLength;
      if (received > limit) throw wrongLength(call, `sent more than the ${String(limit)} bytes it announced`, 'later');
      parts.push(part);
      await paceAll(pace, part.byteLength);
    }
  } finally {
    body.destroy();
  }
  if (announcedBytes !== undefined && received !== announcedBytes) {
    throw wrongLength(call, `ended after ${String(received)} of ${String(announcedBytes)} bytes`, 'later');
  }
  return joined(parts, received);
}

/** A wrong length of one answer; the next answer may be right. */
export function wrongLength(call: S3Call, what: string, retry: 'later' | 'never'): StorageError {
  return new StorageError('storage.corrupt', `${call.operation} ${call.subject}: the answer ${what}`, {
    retry,
    context: { operation: call.operation, subject: call.subject },
  });
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}
