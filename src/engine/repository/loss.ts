import { CorruptionError, NotFoundError, StorageError } from '../../core/errors.ts';

/** The thing asked for is gone or broken: there may be another copy, and the rest goes on. Anything else is a failure of the store. */
export function isLoss(error: unknown): boolean {
  if (error instanceof StorageError) return error.code === 'storage.not-found' || error.code === 'storage.corrupt';
  return error instanceof CorruptionError || error instanceof NotFoundError;
}
