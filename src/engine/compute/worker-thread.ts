import type { Worker } from 'node:worker_threads';
import type { Transferable } from 'node:worker_threads';
import { messageOf, NesteggError } from '../../core/errors.ts';

export interface WorkerHandlers<Out> {
  message(message: Out): void;
  /** The thread ended or broke without having been asked to; called at most once. */
  failed(error: NesteggError): void;
}

/**
 * One worker thread with typed messages. Whatever ends it before `close` or `terminate` was called is a failure and is
 * told once, so that nobody waits for an answer that cannot come.
 */
export class WorkerThread<In, Out> {
  readonly #worker: Worker;
  readonly #handlers: WorkerHandlers<Out>;
  readonly #exited: Promise<void>;
  #over = false;

  constructor(worker: Worker, handlers: WorkerHandlers<Out>) {
    this.#worker = worker;
    this.#handlers = handlers;
    // The only place where a message of the thread gets its type: both ends are built from the same union.
    worker.on('message', (message: Out) => {
      if (!this.#over) handlers.message(message);
    });
    worker.on('messageerror', (error) => this.#fail('a message of a worker thread could not be read', error));
    worker.on('error', (error) => this.#fail('a worker thread failed', error));
    this.#exited = new Promise((resolve) => {
      worker.once('exit', (code) => {
        this.#fail(`a worker thread ended with code ${String(code)}`, undefined);
        resolve();
      });
    });
  }

  /** Buffers in `transfer` belong to the thread from here on. */
  post(message: In, transfer: readonly Transferable[] = []): void {
    if (!this.#over) this.#worker.postMessage(message, transfer);
  }

  /** Waits for the thread to end by itself, which it was asked to by a message. */
  async close(): Promise<void> {
    this.#over = true;
    await this.#exited;
  }

  /** Ends the thread wherever it is. */
  async terminate(): Promise<void> {
    this.#over = true;
    await this.#worker.terminate();
    await this.#exited;
  }

  #fail(what: string, cause: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const reason = cause === undefined ? '' : `: ${messageOf(cause)}`;
    this.#handlers.failed(new NesteggError('internal', `${what}${reason}`, { cause }));
  }
}
