import {
  CancelledError,
  type ErrorDetails,
  isCancellation,
  messageOf,
  StorageError,
  systemCode,
} from '../../../core/errors.ts';
import type { ErrorCode } from '../../../core/error-codes.ts';

/** One request, for the words of an error. */
export interface S3Call {
  /** The S3 operation: `PutObject`. */
  readonly operation: string;
  /** Key, prefix or bucket. */
  readonly subject: string;
}

/** What is known of an answer that was an error. */
interface Refusal {
  readonly status: number;
  /** The S3 error code, or the name of the exception where the answer had none. */
  readonly code: string;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

type StorageCode = Extract<ErrorCode, `storage.${string}`>;

interface Verdict {
  readonly code: StorageCode;
  readonly later: boolean;
  readonly hint?: string;
}

const later = { code: 'storage.unavailable', later: true } as const;

/** S3 error codes that mean the same at every status. */
const byCode: Readonly<Record<string, Verdict>> = {
  RequestTimeout: later,
  SlowDown: later,
  InternalError: later,
  ServiceUnavailable: later,
  TooManyRequests: later,
  OperationAborted: later,
  ConditionalRequestConflict: later,
  // The offset is learnt from the Date header of this very answer, so the next attempt is signed with the right time.
  RequestTimeTooSkewed: { ...later, hint: 'The clocks of this machine and of the store differ; check NTP on both.' },
  NoSuchKey: { code: 'storage.not-found', later: false },
  NoSuchBucket: {
    code: 'storage.failed',
    later: false,
    hint: 'Create the bucket, or correct its name in the configuration.',
  },
  QuotaExceeded: { code: 'storage.full', later: false },
  StorageLimitExceeded: { code: 'storage.full', later: false },
  XMinioStorageFull: { code: 'storage.full', later: false },
  InsufficientStorage: { code: 'storage.full', later: false },
  InvalidAccessKeyId: { code: 'storage.refused', later: false, hint: 'Check the access key.' },
  SignatureDoesNotMatch: { code: 'storage.refused', later: false, hint: 'Check the secret key and the region.' },
  BadDigest: {
    code: 'storage.corrupt',
    later: true,
    hint: 'The bytes changed on their way; if it stays, suspect memory or network hardware.',
  },
};

const laterStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

const byStatus: Readonly<Record<number, Verdict>> = {
  401: { code: 'storage.refused', later: false, hint: 'Check the access key and the secret key.' },
  403: {
    code: 'storage.refused',
    later: false,
    hint: 'Check the keys and what they are allowed to do in this bucket.',
  },
  404: { code: 'storage.not-found', later: false },
  412: { code: 'storage.conflict', later: false },
  501: { code: 'storage.unsupported', later: false },
  507: { code: 'storage.full', later: false },
};

/** System codes that no retry mends: the address or its certificate is wrong. */
const finalNetworkCodes =
  /^(CERT_|ERR_TLS_|ERR_INVALID_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_(VERIFY|GET)|EPROTO)/;

/**
 * The `StorageError` (or `CancelledError`) for whatever the SDK threw. `retry: 'later'`: network errors, 408, 429,
 * 500, 502, 503, 504 and the codes that mean the same. `context` holds operation, subject, status, the S3 code,
 * `retryAfterMs` where the store said so, and `ambiguous` when the request may have been carried out.
 */
export function storageError(call: S3Call, error: unknown): StorageError | CancelledError {
  if (error instanceof StorageError || error instanceof CancelledError) return error;
  const context = { operation: call.operation, subject: call.subject };
  const refusal = refusalOf(error);
  const cause = withoutExchange(error);
  if (refusal !== undefined) return refused(call, refusal, cause);
  if (hasTimedOut(error)) {
    const message = `${describe(call)}: no progress for too long`;
    return new StorageError('storage.timeout', message, details(true, cause, { ...context, ambiguous: true }));
  }
  if (isCancellation(error)) return new CancelledError(undefined, { cause });
  const code = systemCode(error) ?? '';
  const message = `${describe(call)}: ${messageOf(error)}`;
  if (finalNetworkCodes.test(code)) {
    const hint = 'Check the address and the certificate of the store.';
    return new StorageError('storage.failed', message, {
      ...details(false, cause, { ...context, systemCode: code }),
      hint,
    });
  }
  return new StorageError(
    'storage.unavailable',
    message,
    details(true, cause, { ...context, ambiguous: true, ...(code === '' ? {} : { systemCode: code }) }),
  );
}

function refused(call: S3Call, refusal: Refusal, cause: unknown): StorageError {
  const { status, code, message, retryAfterMs } = refusal;
  const verdict = verdictOf(refusal);
  const said = message === '' || message === code ? code : `${code}: ${message}`;
  return new StorageError(verdict.code, `${describe(call)}: the store answered ${String(status)} ${said}`, {
    ...details(verdict.later, cause, {
      operation: call.operation,
      subject: call.subject,
      status,
      s3Code: code,
      // A server that failed in the middle may have done what was asked; one that sent the request away has not.
      ambiguous: status === 500 || status === 502 || status === 504,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }),
    ...(verdict.hint === undefined ? {} : { hint: verdict.hint }),
  });
}

function verdictOf({ status, code }: Refusal): Verdict {
  const known = byCode[code] ?? byStatus[status];
  if (known !== undefined) return known;
  return laterStatuses.has(status) ? later : { code: 'storage.failed', later: false };
}

function details(retryLater: boolean, cause: unknown, context: Record<string, unknown>): ErrorDetails {
  return { retry: retryLater ? 'later' : 'never', cause, context };
}

function describe({ operation, subject }: S3Call): string {
  return subject === '' ? operation : `${operation} ${subject}`;
}

/** The SDK gives this name to broken connections as well. */
function hasTimedOut(error: unknown): boolean {
  const code = systemCode(error);
  return error instanceof Error && error.name === 'TimeoutError' && (code === undefined || code === 'ETIMEDOUT');
}

/** The exceptions of the SDK carry the whole exchange with its signed headers and sockets; a log needs none of that. */
function withoutExchange(error: unknown): unknown {
  if (!(error instanceof Error) || !('$metadata' in error || '$response' in error)) return error;
  const lean = new Error(error.message);
  lean.name = error.name;
  if (error.stack !== undefined) lean.stack = error.stack;
  return lean;
}

/** Reads the exceptions of the SDK without trusting their shape. */
function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined;
  const status = property(error.$metadata, 'httpStatusCode');
  if (typeof status !== 'number' || status < 300) return undefined;
  const headers = property(property(error, '$response'), 'headers');
  const retryAfter = property(headers, 'retry-after');
  return {
    status,
    code: error.name,
    message: error.message,
    retryAfterMs:
      typeof retryAfter === 'string' && /^\d{1,6}$/.test(retryAfter) ? Number(retryAfter) * 1000 : undefined,
  };
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
