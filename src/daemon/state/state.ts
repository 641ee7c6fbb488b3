/** The state directory as the daemon uses it: locked, and its database behind a thread. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { startWorker } from '../../core/entry.ts';
import { messageOf, NesteggError } from '../../core/errors.ts';
import { systemClock, type Clock } from '../../core/clock.ts';
import type { OsLock, OsLocks } from '../../core/os-lock.ts';
import type { QueueStore } from '../../tasks/queue/store.ts';
import type { TriggerStore } from '../../triggers/trigger.ts';
import { type FromThread, receiveError, type StoreName, type ThreadSettings, type ToThread } from './protocol.ts';

export interface StateDatabase {
  readonly queue: QueueStore;
  readonly triggers: TriggerStore;
  /** `node:sqlite` or `node-sqlite3-wasm`. */
  readonly driver: string;
  /** The last daemon did not close it; it was checked and is whole. */
  readonly recovered: boolean;
  /** Rejects when the thread dies; the daemon cannot go on without it. Never resolves. */
  readonly lost: Promise<never>;
  /** Waits for what was called before, closes the database, ends the thread, gives the lock back. Idempotent. */
  close(): Promise<void>;
}

/** How long a lock of somebody else is waited for. */
const patienceMs = 2000;

/**
 * Opens the state directory, and creates it (mode 0700) when it is missing.
 * @throws NesteggError `state.locked` when another process uses it, `state.corrupt`, `state.full`, `state.failed`
 */
export async function openState(
  directory: string,
  locks: Pick<OsLocks, 'acquire'>,
  clock: Clock = systemClock,
): Promise<StateDatabase> {
  await makeDirectory(directory);
  const lock = await acquirePatiently(directory, locks, clock);
  if (!lock) {
    throw new NesteggError('state.locked', `another process uses the state directory ${directory}`, {
      hint: 'One daemon per state directory: stop the other one, or give this one its own `daemon.state`.',
      context: { directory },
    });
  }
  try {
    const thread = await StateThread.start(join(directory, 'state.db'));
    let closing: Promise<void> | undefined;
    const close = (): Promise<void> => (closing ??= thread.close().finally(() => lock.release()));
    return { ...thread.stores, ...thread.about, lost: thread.lost, close };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new NesteggError('state.failed', `the state directory ${directory} cannot be made: ${messageOf(cause)}`, {
      cause,
      hint: '`daemon.state` names it; the daemon must be allowed to write there.',
    });
  }
}

interface Waiter {
  readonly give: (value: unknown) => void;
  readonly fail: (error: unknown) => void;
}

/** States: *opening* → *open* → `close` → *closed*; the death of the thread leads from each of them to *lost*. */
class StateThread {
  readonly lost: Promise<never>;
  readonly stores: { readonly queue: QueueStore; readonly triggers: TriggerStore };
  about = { driver: '', recovered: false };
  readonly #worker: Worker;
  readonly #waiters = new Map<number, Waiter>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #over: NesteggError | undefined;
  #closing = false;

  private constructor(path: string, opened: Waiter) {
    const workerData: ThreadSettings = { path };
    this.#worker = startWorker(import.meta.url, './state-thread', { workerData });
    this.stores = { queue: this.#queue(), triggers: this.#triggers() };
    let lose: (error: NesteggError) => void = () => undefined;
    this.lost = new Promise((_resolve, reject) => (lose = reject));
    this.lost.catch(() => undefined);
    this.#exited = new Promise((resolve) => {
      const end = (why: string): void => {
        this.#over ??= new NesteggError('state.failed', `the thread of the state database ended${why}`);
        opened.fail(this.#over);
        for (const waiter of this.#waiters.values()) waiter.fail(this.#over);
        this.#waiters.clear();
        if (!this.#closing) lose(this.#over);
      };
      this.#worker.once('error', (error) => {
        end(`: ${messageOf(error)}`);
      });
      this.#worker.once('exit', () => {
        end('');
        resolve();
      });
    });
    this.#worker.on('message', (message: FromThread) => {
      this.#receive(message, opened);
    });
  }

  static async start(path: string): Promise<StateThread> {
    let thread: StateThread | undefined;
    try {
      await new Promise<unknown>((give, fail) => (thread = new StateThread(path, { give, fail })));
    } catch (error) {
      await thread?.abandon();
      throw error;
    }
    if (!thread) throw new NesteggError('internal', 'the thread of the state database was not made');
    return thread;
  }

  /** Waits for the end of a thread that could not open the database. */
  async abandon(): Promise<void> {
    this.#closing = true;
    await this.#exited;
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (!this.#over) this.#post({ type: 'close' });
    this.#over ??= new NesteggError('state.failed', 'the state database is closed');
    await this.#exited;
  }

  #receive(message: FromThread, opened: Waiter): void {
    switch (message.type) {
      case 'opened':
        this.about = { driver: message.driver, recovered: message.recovered };
        opened.give(undefined);
        break;
      case 'failed':
        opened.fail(receiveError(message.error));
        break;
      case 'answers':
        for (const answer of message.answers) {
          const waiter = this.#waiters.get(answer.id);
          this.#waiters.delete(answer.id);
          if (answer.ok) waiter?.give(answer.value);
          else waiter?.fail(receiveError(answer.error));
        }
        break;
      case 'closed':
        break;
    }
  }

  #call<T>(store: StoreName, method: string, values: readonly unknown[]): Promise<T> {
    if (this.#over) return Promise.reject(this.#over);
    const id = this.#nextId++;
    return new Promise<T>((give, fail) => {
      this.#waiters.set(id, { give: give as (value: unknown) => void, fail });
      this.#post({ type: 'call', call: { id, store, method, values } });
    });
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #queue(): QueueStore {
    const call =
      <Method extends keyof QueueStore>(method: Method) =>
      (...values: Parameters<QueueStore[Method]>) =>
        this.#call<Awaited<ReturnType<QueueStore[Method]>>>('queue', method, values);
    return {
      interrupted: call('interrupted'),
      live: call('live'),
      enqueue: call('enqueue'),
      start: call('start'),
      abort: call('abort'),
      end: call('end'),
      move: call('move'),
      setPriority: call('setPriority'),
      get: call('get'),
      history: call('history'),
      forget: call('forget'),
      pause: call('pause'),
      resume: call('resume'),
    };
  }

  #triggers(): TriggerStore {
    return {
      load: (id) => this.#call('triggers', 'load', [id]),
      save: (id, memory) => this.#call('triggers', 'save', [id, memory]),
    };
  }
}

/** The helper that holds a lock outlives a killed daemon for a moment, and a service manager restarts at once. */
async function acquirePatiently(
  directory: string,
  locks: Pick<OsLocks, 'acquire'>,
  clock: Clock,
): Promise<OsLock | undefined> {
  const start = clock.monotonic();
  for (;;) {
    const lock = await locks.acquire(directory, 'exclusive');
    if (lock || clock.monotonic() - start >= patienceMs) return lock;
    await clock.sleep(100);
  }
}
