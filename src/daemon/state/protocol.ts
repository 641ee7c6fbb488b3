/** What goes between the daemon and the thread of its database. */
import { errorCodes, type ErrorCode } from '../../core/error-codes.ts';
import { messageOf, NesteggError, NotFoundError, type Retry, UsageError } from '../../core/errors.ts';

/** Given to the thread at its start. */
export interface ThreadSettings {
  readonly path: string;
}

export type StoreName = 'queue' | 'triggers';

export interface Call {
  readonly id: number;
  readonly store: StoreName;
  readonly method: string;
  /** Structured-clonable values. */
  readonly values: readonly unknown[];
}

export type ToThread = { readonly type: 'call'; readonly call: Call } | { readonly type: 'close' };

export type Answer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: SentError };

export type FromThread =
  | { readonly type: 'opened'; readonly driver: string; readonly recovered: boolean }
  | { readonly type: 'failed'; readonly error: SentError }
  | { readonly type: 'answers'; readonly answers: readonly Answer[] }
  | { readonly type: 'closed' };

/** An error that keeps its code, which a plain structured clone would lose. */
export interface SentError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retry: Retry;
  readonly hint: string | undefined;
  /** JSON. */
  readonly context: string;
}

export function sendError(error: unknown): SentError {
  if (!(error instanceof NesteggError)) {
    return { code: 'internal', message: messageOf(error), retry: 'never', hint: undefined, context: '{}' };
  }
  const { code, message, retry, hint, context } = error;
  return { code, message, retry, hint, context: JSON.stringify(context) };
}

export function receiveError({ code, message, retry, hint, context }: SentError): NesteggError {
  const details = {
    retry,
    ...(hint === undefined ? {} : { hint }),
    context: JSON.parse(context) as Record<string, unknown>,
  };
  if (!(code in errorCodes)) return new NesteggError('internal', message, details);
  if (code === 'not-found') return new NotFoundError(message, details);
  if (code === 'usage') return new UsageError(message, details);
  return new NesteggError(code, message, details);
}
