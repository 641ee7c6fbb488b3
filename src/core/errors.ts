import { DecodeError } from './binary.ts';
import type { ErrorCode } from './error-codes.ts';

/** Whether trying the same again can help: `later` after some time, `never` not without a change. */
export type Retry = 'never' | 'later';

export interface ErrorDetails {
  readonly cause?: unknown;
  readonly retry?: Retry;
  /** What a person can do about it: one sentence. */
  readonly hint?: string;
  /** JSON values for the log: operation, object name, position. */
  readonly context?: Readonly<Record<string, unknown>>;
}

/**
 * The one error base. `message` says what was being done, to what, and what went wrong, in plain words.
 * Cancellation, corruption, not-found, source and storage errors are types of their own, because only a
 * `SourceError` may become a warning, and a `CancelledError` is never reported as a failure.
 */
export class NesteggError extends Error {
  override readonly name: string = 'NesteggError';
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly hint: string | undefined;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retry = details.retry ?? 'never';
    this.hint = details.hint;
    this.context = details.context ?? {};
  }
}

/** A person or program asked for something impossible: exit code 2, HTTP 400. */
export class UsageError extends NesteggError {
  override readonly name = 'UsageError';
  constructor(message: string, details: ErrorDetails & { readonly code?: ErrorCode } = {}) {
    super(details.code ?? 'usage', message, details);
  }
}

/** Something named does not exist: exit code 4, HTTP 404. */
export class NotFoundError extends NesteggError {
  override readonly name = 'NotFoundError';
  constructor(message: string, details: ErrorDetails & { readonly code?: ErrorCode } = {}) {
    super(details.code ?? 'not-found', message, details);
  }
}

/** Bytes are not what they must be: damaged in the store, on the way, or in memory. */
export class CorruptionError extends NesteggError {
  override readonly name = 'CorruptionError';
  constructor(message: string, details: ErrorDetails & { readonly code?: ErrorCode } = {}) {
    super(details.code ?? 'repository.corrupt', message, details);
  }
}

export type StorageCode = Extract<ErrorCode, `storage.${string}`>;

/** The store failed or refused. Never becomes a warning: it always fails the run of that repository. */
export class StorageError extends NesteggError {
  override readonly name: string = 'StorageError';
  declare readonly code: StorageCode;
  constructor(code: StorageCode, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
  }
}

type SourceCode = Extract<ErrorCode, `source.${string}` | `pbs.${string}`>;

/** The source failed. The only kind that may become a warning of a task. */
export class SourceError extends NesteggError {
  override readonly name = 'SourceError';
  constructor(code: SourceCode, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
  }
}

/** Stopped on request; `reason` of the abort signal when it carried one. */
export class CancelledError extends NesteggError {
  override readonly name = 'CancelledError';
  constructor(message = 'stopped on request', details: ErrorDetails = {}) {
    super('cancelled', message, details);
  }
}

export function isCancellation(error: unknown): boolean {
  return error instanceof CancelledError || (error instanceof Error && error.name === 'AbortError');
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error (`ENOENT`), if it is one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Runs a decoder and turns its `DecodeError` (and range errors of id constructors) into a `CorruptionError` about `what`. */
export function decoding<T>(what: string, decode: () => T, code: ErrorCode = 'repository.corrupt'): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError || error instanceof RangeError) {
      throw new CorruptionError(`${what} is damaged: ${error.message}`, { cause: error, code });
    }
    throw error;
  }
}
