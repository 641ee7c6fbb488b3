import { startWorker } from '../../core/entry.ts';
import { CancelledError, NesteggError } from '../../core/errors.ts';
import type { ExportedKeys } from '../format/keys.ts';
import { wholeBuffer } from './entry-columns.ts';
import type {
  ChunkColumns,
  ExtractJob,
  FromRestoreWorker,
  InspectJob,
  RestoreAnswer,
  RestoreWorkerData,
  ToRestoreWorker,
} from './restore-messages.ts';
import { WorkerThread } from './worker-thread.ts';

export interface RestorePoolOptions {
  /** Folder of the datastore that is restored into, or looked at. */
  readonly datastore: string;
  readonly keys: ExportedKeys;
  readonly owner: RestoreWorkerData['owner'];
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
}

interface Waiting {
  readonly resolve: (answer: RestoreAnswer) => void;
  readonly reject: (error: unknown) => void;
}

interface Member {
  readonly thread: WorkerThread<ToRestoreWorker, FromRestoreWorker>;
  readonly jobs: Map<number, Waiting>;
}

/**
 * The worker threads of one restore. Jobs are done in no particular order; the caller bounds how many, and how many bytes,
 * are under way. When a thread breaks or the signal aborts, every job rejects; a file that is being written is finished
 * before the threads end, so that nothing temporary is left.
 */
export class RestorePool {
  readonly #signal: AbortSignal | undefined;
  readonly #stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #members: Member[] = [];
  #numbers = 0;
  #failure: { readonly error: unknown } | undefined;
  readonly #abort = (): void => {
    this.#fail(new CancelledError());
  };

  constructor(options: RestorePoolOptions) {
    this.#signal = options.signal;
    for (let number = 0; number < Math.max(1, options.threads); number += 1) this.#members.push(this.#start(options));
    if (options.signal?.aborted) this.#abort();
    options.signal?.addEventListener('abort', this.#abort, { once: true });
  }

  get threads(): number {
    return this.#members.length;
  }

  /** Arrays of the job are transferred. @throws NesteggError (`restore.target`) when the target cannot be written. */
  async run(job: InspectJob | ExtractJob): Promise<RestoreAnswer> {
    if (this.#failure) throw this.#failure.error;
    const member = this.#members.reduce((least, other) => (other.jobs.size < least.jobs.size ? other : least));
    const number = this.#numbers++;
    return new Promise((resolve, reject) => {
      member.jobs.set(number, { resolve, reject });
      member.thread.post({ number, job }, buffersOf(job));
    });
  }

  /** Ends the threads after the chunk they are at. Never rejects. */
  async close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#fail(new CancelledError('the pool was closed'));
    for (const { thread } of this.#members) thread.post({ end: true });
    await Promise.all(this.#members.map(({ thread }) => thread.close()));
  }

  #start(options: RestorePoolOptions): Member {
    const { datastore, keys, owner } = options;
    const workerData = { datastore, keys, owner, stop: this.#stop.buffer };
    const jobs = new Map<number, Waiting>();
    const thread = new WorkerThread<ToRestoreWorker, FromRestoreWorker>(
      startWorker(import.meta.url, './restore-worker', { workerData }),
      {
        message: (message) => {
          settle(jobs, message);
        },
        failed: (error) => {
          this.#fail(error);
        },
      },
    );
    return { thread, jobs };
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    Atomics.store(this.#stop, 0, 1);
    for (const { jobs } of this.#members) {
      for (const waiting of jobs.values()) waiting.reject(this.#failure.error);
      jobs.clear();
    }
  }
}

function settle(jobs: Map<number, Waiting>, message: FromRestoreWorker): void {
  const waiting = jobs.get(message.number);
  jobs.delete(message.number);
  if (message.type === 'answer') waiting?.resolve(message);
  else
    waiting?.reject(
      new NesteggError('restore.target', message.message, message.hint === undefined ? {} : { hint: message.hint }),
    );
}

function buffersOf(job: InspectJob | ExtractJob): ArrayBuffer[] {
  const chunks = columnsOf(job.chunks);
  return job.type === 'inspect' ? chunks : [...chunks, ...[job.bytes, job.blobIds, job.places].map(wholeBuffer)];
}

function columnsOf({ digests, lengths, ruleOf }: ChunkColumns): ArrayBuffer[] {
  return [digests, lengths, ruleOf].map(wholeBuffer);
}
