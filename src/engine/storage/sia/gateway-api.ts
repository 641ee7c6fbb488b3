import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { systemClock, type Clock } from '../../../core/clock.ts';
import { CancelledError, StorageError, messageOf, systemCode, UsageError } from '../../../core/errors.ts';
import type { Secret } from '../../../core/secret.ts';
import type { CallOptions } from '../storage.ts';

export interface GatewayApiOptions {
  /** Base address of the admin API: `http://127.0.0.1:9980` (renterd) or `http://127.0.0.1:8001` (s3d). */
  readonly api: string;
  readonly password: Secret;
  readonly clock?: Clock | undefined;
  /** How long an answer may take. Default 30 s. */
  readonly timeoutMs?: number | undefined;
}

export interface GatewayAnswer {
  readonly status: number;
  /** Parsed JSON, or `undefined` when the body is no JSON. */
  readonly json: unknown;
  /** The gateway's clock, from its Date header. */
  readonly gatewayMs: number | undefined;
}

interface Question extends CallOptions {
  readonly method?: 'GET' | 'POST';
  readonly body?: unknown;
  /** Longer than usual, for what does its work before it answers. */
  readonly timeoutMs?: number;
}

const longestAnswerBytes = 64 * 2 ** 20;

/**
 * The admin API of a Sia gateway: JSON over HTTP with Basic authentication and an empty user. Not `fetch`: that ends
 * every answer that takes longer than five minutes, and a flush may.
 */
export class GatewayApi {
  readonly #base: URL;
  readonly #password: Secret;
  readonly #clock: Clock;
  readonly #timeoutMs: number;

  /** @throws UsageError when `api` is no HTTP address. */
  constructor(options: GatewayApiOptions) {
    const url = URL.canParse(options.api) ? new URL(options.api) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '') {
      throw new UsageError(`${JSON.stringify(options.api)} is no address of a gateway API`, {
        hint: 'Write for example http://127.0.0.1:9980 (renterd) or http://127.0.0.1:8001 (s3d).',
      });
    }
    this.#base = url;
    this.#password = options.password;
    this.#clock = options.clock ?? systemClock;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
  }

  get address(): string {
    return this.#base.origin;
  }

  /**
   * One request; any status below 500 but 401 and 403 is an answer.
   * @throws StorageError `storage.refused` for 401 and 403, `storage.unavailable` (later) for 5xx and network errors,
   * `storage.timeout` (later).
   */
  async ask(path: string, question: Question = {}): Promise<GatewayAnswer> {
    const what = `${question.method ?? 'GET'} ${path}`;
    const stop = new AbortController();
    const { signal } = question;
    const abort = (): void => {
      stop.abort();
    };
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted === true) abort();
    try {
      const timeoutMs = question.timeoutMs ?? this.#timeoutMs;
      const answer = await this.#inTime(timeoutMs, stop, () => this.#send(path, question, stop.signal));
      if (answer === 'late') throw this.#error('storage.timeout', `${what}: no answer in ${String(timeoutMs)} ms`);
      return this.#checked(what, answer);
    } catch (error) {
      if (signal?.aborted === true) throw new CancelledError(undefined, { cause: error });
      if (error instanceof StorageError) throw error;
      const code = systemCode(error);
      throw this.#error(
        'storage.unavailable',
        `${what}: ${messageOf(error)}`,
        code === undefined ? {} : { systemCode: code },
      );
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  async #inTime<T>(timeoutMs: number, stop: AbortController, work: () => Promise<T>): Promise<T | 'late'> {
    const done = new AbortController();
    const late = new Error('late');
    const waiting = this.#clock.sleep(timeoutMs, { signal: done.signal }).then(
      () => {
        stop.abort(late);
      },
      () => undefined,
    );
    try {
      return await work();
    } catch (error) {
      if (stop.signal.reason === late) return 'late';
      throw error;
    } finally {
      done.abort();
      await waiting;
    }
  }

  async #send(path: string, question: Question, signal: AbortSignal): Promise<GatewayAnswer> {
    const url = new URL(this.#base.pathname.replace(/\/$/, '') + path, this.#base);
    const body = question.body === undefined ? undefined : JSON.stringify(question.body);
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = send(url, {
        method: question.method ?? 'GET',
        signal,
        headers: {
          authorization: `Basic ${Buffer.from(`:${this.#password.reveal()}`).toString('base64')}`,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
      });
      request.once('response', resolve);
      request.once('error', reject);
      request.end(body);
    });
    const text = await readText(response);
    const gatewayMs = Date.parse(response.headers.date ?? '');
    return {
      status: response.statusCode ?? 0,
      json: parsed(text),
      gatewayMs: Number.isNaN(gatewayMs) ? undefined : gatewayMs,
    };
  }

  #checked(what: string, answer: GatewayAnswer): GatewayAnswer {
    if (answer.status === 401 || answer.status === 403) {
      throw new StorageError('storage.refused', `${what}: the gateway at ${this.address} refuses the password`, {
        hint: 'Check `gateway.password`: it is the API password of the gateway, not an S3 key.',
        context: { operation: what, status: answer.status },
      });
    }
    if (answer.status < 500) return answer;
    throw this.#error('storage.unavailable', `${what}: the gateway answered ${String(answer.status)}`, {
      status: answer.status,
    });
  }

  #error(
    code: 'storage.unavailable' | 'storage.timeout',
    message: string,
    context: Readonly<Record<string, unknown>> = {},
  ): StorageError {
    return new StorageError(code, message, { retry: 'later', context: { gateway: this.address, ...context } });
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.byteLength;
    if (length > longestAnswerBytes) {
      response.destroy();
      throw new Error('the answer is too long');
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
