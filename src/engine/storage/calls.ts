/** What stores and decorators share: the check of a signal, pacing a body, and wrapping every call of another store. */
import { CancelledError } from '../../core/errors.ts';
import type { CallOptions, Pace, Storage } from './storage.ts';

/** @throws CancelledError when the signal has aborted. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError(undefined, { cause: signal.reason });
}

/** Settles like `work`, or with CancelledError as soon as the signal aborts; `work` itself goes on unobserved. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let leave = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    const abort = (): void => {
      reject(new CancelledError(undefined, { cause: signal.reason }));
    };
    leave = () => {
      signal.removeEventListener('abort', abort);
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    leave();
  }
}

/** Asks `pace`, if there is one, until all `sizeBytes` may be moved. */
export async function paceAll(pace: Pace | undefined, sizeBytes: number): Promise<void> {
  if (!pace) return;
  for (let left = sizeBytes; left > 0;) left -= await pace(left);
}

/** Views of `bytes`, one after the other, as `pace` allows them; of at most `pieceBytes` each. */
export async function* pacedPieces(
  bytes: Uint8Array,
  pace: Pace | undefined,
  pieceBytes: number,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength;) {
    const wanted = Math.min(pieceBytes, bytes.byteLength - at);
    const allowed = pace ? await pace(wanted) : wanted;
    yield bytes.subarray(at, at + allowed);
    at += allowed;
  }
}

export type Operation =
  'put' | 'get' | 'getRange' | 'head' | 'list' | 'folders' | 'delete' | 'barrier' | 'pending' | 'clock';

/** One call of a store, as decorators and the log see it. */
export interface StorageCall {
  readonly operation: Operation;
  /** The object's name, the prefix of a listing, or how many names a barrier has; empty for the clock. */
  readonly subject: string;
}

/** Runs one call; `run` may be called again, for a retry, and with other options. */
export type Around = <T>(
  call: StorageCall,
  run: (options: CallOptions) => Promise<T>,
  options: CallOptions,
) => Promise<T>;

/** `inner` with `around` about every call that ends in one answer, and `own` in place of its methods. Listings pass through. */
export function decorate(inner: Storage, around: Around, own: Partial<Storage> = {}): Storage {
  const count = (names: readonly string[]): string => `${String(names.length)} objects`;
  const all: Storage = {
    location: inner.location,
    get capabilities() {
      return inner.capabilities;
    },
    put: (name, bytes, options = {}) =>
      around({ operation: 'put', subject: name }, (used) => inner.put(name, bytes, used), options),
    get: (name, options = {}) => around({ operation: 'get', subject: name }, (used) => inner.get(name, used), options),
    getRange: (name, offset, length, options = {}) =>
      around({ operation: 'getRange', subject: name }, (used) => inner.getRange(name, offset, length, used), options),
    head: (name, options = {}) =>
      around({ operation: 'head', subject: name }, (used) => inner.head(name, used), options),
    list: (prefix, options) => inner.list(prefix, options),
    folders: (prefix, options = {}) =>
      around({ operation: 'folders', subject: prefix }, (used) => inner.folders(prefix, used), options),
    delete: (name, options = {}) =>
      around({ operation: 'delete', subject: name }, (used) => inner.delete(name, used), options),
    barrier: (names, options = {}) =>
      around({ operation: 'barrier', subject: count(names) }, (used) => inner.barrier(names, used), options),
    pending: (names, options = {}) =>
      around({ operation: 'pending', subject: count(names) }, (used) => inner.pending(names, used), options),
    clock: (options = {}) => around({ operation: 'clock', subject: '' }, (used) => inner.clock(used), options),
    close: () => inner.close(),
  };
  return Object.defineProperties(all, Object.getOwnPropertyDescriptors(own));
}
