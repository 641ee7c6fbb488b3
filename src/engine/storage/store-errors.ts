/** The errors every store words alike. */
import { StorageError } from '../../core/errors.ts';
import type { ObjectName } from './storage.ts';

export function notFound(name: ObjectName, cause?: unknown): StorageError {
  return new StorageError('storage.not-found', `${name} is not in the store`, { cause, context: { object: name } });
}

export function conflict(name: ObjectName): StorageError {
  return new StorageError('storage.conflict', `storing ${name}: an object of that name has other content`, {
    hint: 'Two repositories must not share one location; if they do not, check the object with `nestegg check`.',
    context: { object: name },
  });
}

/** @throws StorageError `storage.corrupt` unless the range lies within an object of `sizeBytes`; RangeError for a nonsensical one. */
export function checkRange(name: ObjectName, offset: number, length: number, sizeBytes: number): void {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new RangeError(`not a range: ${String(length)} bytes from ${String(offset)}`);
  }
  if (offset + length > sizeBytes) {
    throw new StorageError(
      'storage.corrupt',
      `reading ${name}: ${String(length)} bytes from ${String(offset)} do not lie within its ${String(sizeBytes)} bytes`,
      { context: { object: name, offset, length, sizeBytes } },
    );
  }
}
