import { StorageError } from '../../core/errors.ts';
import { decorate } from './calls.ts';
import type { Storage } from './storage.ts';

/** Refuses `put` and `delete` before they reach the store: for restores, checks and browsing. */
export function withReadOnly(storage: Storage): Storage {
  const refuse = (doing: string): Promise<never> =>
    Promise.reject(
      new StorageError('storage.refused', `${doing}: ${storage.location} is open for reading only`, {
        hint: 'Only tasks that write open a repository for writing.',
      }),
    );
  return decorate(storage, (_call, run, options) => run(options), {
    get capabilities() {
      return { ...storage.capabilities, canDelete: false };
    },
    put: (name) => refuse(`storing ${name}`),
    delete: (name) => refuse(`deleting ${name}`),
  });
}
