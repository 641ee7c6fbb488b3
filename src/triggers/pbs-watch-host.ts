/** The daemon's side of the watch process: one for all datastores, started when first needed, again when it dies. */
import type { ChildProcess } from 'node:child_process';
import type { Clock } from '../core/clock.ts';
import { forkProcess } from '../core/entry.ts';
import type { Logger } from '../core/logger.ts';
import type { FromWatchProcess, ToWatchProcess } from './pbs-messages.ts';
import type { DatastoreWatch, ScannedGroup } from './trigger.ts';

const againMs = 5_000;

interface Watched {
  readonly datastore: string;
  readonly scanned: (groups: readonly ScannedGroup[]) => void;
}

export class PbsWatchHost implements DatastoreWatch {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #watched = new Map<number, Watched>();
  readonly #stop = new AbortController();
  #nextId = 1;
  #child: ChildProcess | undefined;
  #work: Promise<void> | undefined;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Of the watch process, while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  watch(datastore: string, scanned: Watched['scanned']): () => void {
    const id = this.#nextId++;
    this.#watched.set(id, { datastore, scanned });
    if (this.#work) this.#send({ type: 'watch', id, datastore });
    else this.#work = this.#keepRunning();
    return () => {
      if (this.#watched.delete(id)) this.#send({ type: 'unwatch', id });
    };
  }

  /** Ends the process, and waits for it. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#hangUp();
    await this.#work;
  }

  async #keepRunning(): Promise<void> {
    while (!this.#stopped()) {
      const why = await this.#runOnce();
      if (this.#stopped()) return;
      this.#logger.warn('watch.process-ended', { why, againMs });
      await this.#clock.sleep(againMs, { signal: this.#stop.signal, unref: true }).catch(() => undefined);
    }
  }

  /** Resolves with the reason when the process has ended; never rejects. */
  #runOnce(): Promise<string> {
    return new Promise((resolve) => {
      const child = forkProcess(import.meta.url, './pbs-watch-process', [], {
        env: {},
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      this.#child = child;
      child.on('message', (message: FromWatchProcess) => {
        this.#receive(message);
      });
      child.once('error', (error) => {
        this.#child = undefined;
        resolve(error.message);
      });
      child.once('exit', (code, signal) => {
        this.#child = undefined;
        resolve(signal ?? `exit code ${code ?? 'unknown'}`);
      });
      for (const [id, { datastore }] of this.#watched) this.#send({ type: 'watch', id, datastore });
      if (this.#stopped()) this.#hangUp();
    });
  }

  #receive(message: FromWatchProcess): void {
    const watched = this.#watched.get(message.id);
    if (!watched) return;
    if (message.type === 'scanned') {
      watched.scanned(message.groups);
      return;
    }
    const { datastore } = watched;
    if (message.text === undefined) this.#logger.info('watch.recovered', { datastore });
    else this.#logger.warn('watch.problem', { datastore, problem: message.text });
  }

  #send(message: ToWatchProcess): void {
    // A process that is about to end gets all of it again when it is back.
    if (this.#child?.connected === true) this.#child.send(message, () => undefined);
  }

  #hangUp(): void {
    if (this.#child?.connected === true) this.#child.disconnect();
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
  }
}
