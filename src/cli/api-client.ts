/** Talks to the daemon over its unix socket. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { errorCodes, type ErrorCode } from '../core/error-codes.ts';
import { CancelledError, messageOf, NesteggError } from '../core/errors.ts';
import type { LiveEvent, Problem } from '../daemon/api/contract.ts';

export interface ApiClient {
  /** @throws NesteggError with the code of the answer, or `daemon.unreachable`. */
  get<Answer>(path: string, query?: Readonly<Record<string, string | number | undefined>>): Promise<Answer>;
  post<Answer>(path: string, body: unknown): Promise<Answer>;
  /** Ends when the daemon closes the connection. */
  events(signal: AbortSignal): AsyncIterable<LiveEvent>;
}

const largestAnswerBytes = 64 * 2 ** 20;

/** Where the daemon listens, given its state directory. */
export function socketPath(stateDirectory: string): string {
  return join(stateDirectory, 'api.sock');
}

export function connectSocket(path: string, version: string): ApiClient {
  const send = (method: string, target: string, body: unknown, signal?: AbortSignal): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const headers = {
        host: 'localhost',
        'user-agent': `nestegg-cli/${version}`,
        ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const request = httpRequest({
        socketPath: path,
        method,
        path: `/api/v1${target}`,
        headers,
        agent: false,
        ...(signal === undefined ? {} : { signal }),
      });
      request.once('response', resolve);
      request.once('error', (error) => {
        reject(signal?.aborted === true ? new CancelledError() : unreachable(path, error));
      });
      request.end(payload);
    });
  const ask = async (method: string, target: string, body?: unknown): Promise<unknown> => {
    const answer = await send(method, target, body);
    const value = JSON.parse(await textOf(answer)) as unknown;
    if ((answer.statusCode ?? 500) >= 300) throw errorFrom(value as Problem);
    return value;
  };
  return {
    get: async <Answer>(target: string, query: Readonly<Record<string, string | number | undefined>> = {}) =>
      (await ask('GET', `${target}${queryText(query)}`)) as Answer,
    post: async <Answer>(target: string, body: unknown) => (await ask('POST', target, body)) as Answer,
    events: async function* (signal) {
      const answer = await send('GET', '/events', undefined, signal);
      if (answer.statusCode !== 200) throw errorFrom(JSON.parse(await textOf(answer)) as Problem);
      yield* eventsOf(answer, signal);
    },
  };
}

function unreachable(path: string, error: Error): NesteggError {
  return new NesteggError('daemon.unreachable', `the daemon does not answer at ${path}: ${messageOf(error)}`, {
    cause: error,
    hint: 'Start it (`nestegg daemon`), or let this command do the work itself with `--direct`.',
  });
}

function queryText(query: Readonly<Record<string, string | number | undefined>>): string {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parts.set(name, String(value));
  const text = parts.toString();
  return text === '' ? '' : `?${text}`;
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    length += part.byteLength;
    if (length > largestAnswerBytes) throw new NesteggError('internal', 'the answer of the daemon is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function errorFrom(problem: Problem): NesteggError {
  const { code, message, hint, context } = problem;
  return new NesteggError(isErrorCode(code) ? code : 'internal', message, {
    ...(hint === undefined ? {} : { hint }),
    ...(context === undefined ? {} : { context }),
  });
}

function isErrorCode(code: string): code is ErrorCode {
  return code in errorCodes;
}

/** Server-sent events (HTML standard, section 9.2), as far as this daemon uses them. */
async function* eventsOf(answer: IncomingMessage, signal: AbortSignal): AsyncGenerator<LiveEvent, undefined> {
  let text = '';
  answer.setEncoding('utf8');
  try {
    for await (const part of answer as AsyncIterable<string>) {
      text += part;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const data = text
          .slice(0, end)
          .split('\n')
          .filter((line) => line.startsWith('data: '))
          .map((line) => line.slice(6));
        text = text.slice(end + 2);
        if (data.length > 0) yield JSON.parse(data.join('\n')) as LiveEvent;
      }
    }
  } catch (error) {
    if (signal.aborted) throw new CancelledError();
    // A broken connection is the end of the stream; whoever follows a task looks again.
    if (!(error instanceof Error) || error instanceof SyntaxError) throw error;
  }
  return undefined;
}
