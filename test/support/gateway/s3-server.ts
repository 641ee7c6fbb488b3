import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../../src/core/clock.ts';
import type { Fault, Faults } from './faults.ts';
import { type Answer, escapeXml, S3Failure } from './http.ts';
import { handlers, type HandlerContext } from './s3-handlers.ts';
import { parseRequest } from './s3-request.ts';
import { sendAnswer } from './send.ts';
import { type AccessKeys, checkSignature } from './signature.ts';
import type { Stats } from './stats.ts';

interface ServerContext extends HandlerContext {
  readonly faults: Faults;
  readonly stats: Stats;
  readonly clock: Clock;
  readonly keys: AccessKeys;
  readonly latencyMs: number;
}

/** Takes each request through: count, latency, fault, signature, operation, fault, answer. */
export class S3Server {
  readonly #context: ServerContext;

  constructor(context: ServerContext) {
    this.#context = context;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that goes away in the middle of a request is no failure of the server.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const gone = new AbortController();
    response.once('close', () => {
      gone.abort();
    });
    let fault: Fault | undefined;
    let answer: Answer | 'silence';
    try {
      const parsed = parseRequest(request);
      this.#context.stats.note(parsed.operation);
      if (this.#context.latencyMs > 0)
        await this.#context.clock.sleep(this.#context.latencyMs, { signal: gone.signal });
      fault = this.#context.faults.take(parsed.operation, parsed.key);
      answer = strikeBefore(fault, request) ?? (await this.#handle(parsed, fault, gone.signal));
      answer = strikeAfter(fault, request, answer);
    } catch (error) {
      answer = gone.signal.aborted ? 'silence' : failureAnswer(error, request);
    }
    if (answer === 'silence') return;
    request.resume();
    sendAnswer(response, answer, fault, { stats: this.#context.stats, nowMs: this.#context.faults.now() });
  }

  #handle(parsed: ReturnType<typeof parseRequest>, fault: Fault | undefined, gone: AbortSignal): Promise<Answer> {
    const { keys, quirks, faults } = this.#context;
    checkSignature(parsed.raw, keys, quirks, faults.now());
    const handler = handlers[parsed.operation] ?? handlers['other'];
    if (handler === undefined) throw new S3Failure(501, 'NotImplemented');
    return handler(parsed, { ...this.#context, nowMs: () => faults.now(), fault, gone });
  }
}

function strikeBefore(fault: Fault | undefined, request: IncomingMessage): Answer | 'silence' | undefined {
  if (fault?.kind === 'status') {
    const headers: Record<string, string> =
      fault.retryAfterSeconds === undefined ? {} : { 'retry-after': String(fault.retryAfterSeconds) };
    throw new S3Failure(fault.status, fault.code, 'scripted', headers);
  }
  if (fault?.kind === 'reset') {
    request.socket.destroy();
    return 'silence';
  }
  return fault?.kind === 'stall' && fault.atByte < 0 ? 'silence' : undefined;
}

function strikeAfter(
  fault: Fault | undefined,
  request: IncomingMessage,
  answer: Answer | 'silence',
): Answer | 'silence' {
  if (fault?.kind === 'fail-after-commit') throw new S3Failure(500, 'InternalError', 'scripted, after the commit');
  if (fault?.kind !== 'reset-after-commit') return answer;
  request.socket.destroy();
  return 'silence';
}

function failureAnswer(error: unknown, request: IncomingMessage): Answer {
  const failure = error instanceof S3Failure ? error : new S3Failure(500, 'InternalError', String(error));
  const fields = { Code: failure.code, Message: failure.message, Resource: request.url ?? '', RequestId: randomUUID() };
  const xml = Object.entries(fields).map(([name, text]) => `<${name}>${escapeXml(text)}</${name}>`);
  return {
    status: failure.status,
    headers: { ...failure.headers, 'content-type': 'application/xml' },
    body: request.method === 'HEAD' ? '' : `<?xml version="1.0" encoding="UTF-8"?><Error>${xml.join('')}</Error>`,
  };
}
