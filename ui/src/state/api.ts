/** The HTTP API as the page uses it. Types come from the contract; the server is of the same release. */
import type { LiveEvent, Problem, QueueView, StatusView, TaskPage } from '../../../src/daemon/api/contract.ts';
import { eventParser } from '../model/sse.ts';

/** An answer that is not 2xx. */
export class ApiError extends Error {
  readonly status: number;
  readonly hint: string | undefined;

  constructor(status: number, message: string, hint: string | undefined) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

export interface Received {
  /** Absent for a sign of life without an event. */
  readonly event: LiveEvent | undefined;
  readonly id: string | undefined;
}

export class Api {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  status(signal: AbortSignal): Promise<StatusView> {
    return this.#json<StatusView>('/status', signal);
  }

  queue(signal: AbortSignal): Promise<QueueView> {
    return this.#json<QueueView>('/queue', signal);
  }

  /** The newest tasks of any state. */
  tasks(limit: number, signal: AbortSignal): Promise<TaskPage> {
    return this.#json<TaskPage>(`/tasks?limit=${String(limit)}`, signal);
  }

  /** Live events until the server ends the stream or the signal aborts. @throws ApiError, or what `fetch` throws. */
  async *events(lastId: string | undefined, signal: AbortSignal): AsyncGenerator<Received> {
    const headers = { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) };
    const response = await this.#fetch('/events', signal, headers);
    if (response.body === null) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = eventParser();
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        const events = parse(read.value);
        if (events.length === 0) yield { event: undefined, id: undefined };
        for (const { id, data } of events) yield { id, event: JSON.parse(data) as LiveEvent };
      }
    } finally {
      await reader.cancel().catch(() => undefined); // already broken: nothing to end
    }
  }

  async #json<T>(path: string, signal: AbortSignal): Promise<T> {
    const response = await this.#fetch(path, signal, { accept: 'application/json' });
    return (await response.json()) as T;
  }

  async #fetch(path: string, signal: AbortSignal, headers: Readonly<Record<string, string>>): Promise<Response> {
    const response = await fetch(`/api/v1${path}`, {
      signal,
      cache: 'no-store',
      credentials: 'omit',
      headers: { ...headers, authorization: `Bearer ${this.#token}` },
    });
    if (response.ok) return response;
    const problem = (await response.json().catch(() => ({}))) as Partial<Problem>;
    throw new ApiError(
      response.status,
      problem.message ?? `the daemon answered ${String(response.status)}`,
      problem.hint,
    );
  }
}
