/** Errors as answers: `application/problem+json` (RFC 9457) with a stable code, a message and a hint, never a stack. */
import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { isCancellation, NesteggError, NotFoundError, UsageError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/error-codes.ts';
import type { Problem } from './contract.ts';

/** An answer that the API itself decides on: a wrong token, a wrong Host. */
export class RequestError extends NesteggError {
  override readonly name = 'RequestError';
  readonly status: number;
  constructor(status: number, code: ErrorCode, message: string, hint?: string) {
    super(code, message, hint === undefined ? {} : { hint });
    this.status = status;
  }
}

const statusByCode: Partial<Readonly<Record<ErrorCode, number>>> = {
  ambiguous: 409,
  'storage.timeout': 504,
  'storage.unavailable': 503,
  'state.full': 507,
};

function statusOf(error: NesteggError): number {
  if (error instanceof RequestError) return error.status;
  const byCode = statusByCode[error.code];
  if (byCode !== undefined) return byCode;
  if (error instanceof NotFoundError || error.code === 'not-found') return 404;
  if (error instanceof UsageError) return 400;
  return 500;
}

export function problem(status: number, code: ErrorCode, message: string, more: Partial<Problem> = {}): Problem {
  return { type: 'about:blank', status, title: STATUS_CODES[status] ?? 'Error', code, message, ...more };
}

/** The answer for anything that was thrown. What is not ours is *internal*: its text goes to the log, not to the client. */
export function problemFor(error: unknown): Problem {
  if (error instanceof NesteggError) {
    return problem(statusOf(error), error.code, error.message, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(Object.keys(error.context).length === 0 ? {} : { context: error.context }),
    });
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const what = error.validation.map(
      (one) => `${where(error.validationContext, one.instancePath)}: ${one.message ?? 'wrong'}`,
    );
    return problem(400, 'usage', what.join('; '));
  }
  if (isCancellation(error)) return problem(503, 'cancelled', 'the daemon is stopping');
  const status = fastifyStatus(error);
  if (status !== undefined && error instanceof Error) return problem(status, 'usage', error.message);
  return problem(500, 'internal', 'an internal error; the log of the daemon has it');
}

function where(part: string | undefined, path: string): string {
  return [part ?? 'request', ...path.split('/').filter(Boolean)].join('.');
}

/** Fastify's own refusals (body too large, not JSON): 4xx with a text that is safe to show. */
function fastifyStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  const { statusCode } = error;
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : undefined;
}

export function sendProblem(reply: FastifyReply, answer: Problem): FastifyReply {
  if (answer.status === 401) void reply.header('www-authenticate', 'Bearer');
  // A string, so that no serializer of a route is applied to it.
  return reply.code(answer.status).type('application/problem+json').send(JSON.stringify(answer));
}
