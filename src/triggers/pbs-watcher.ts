/** Scans one datastore again and again; file watchers only make the next scan come sooner. */
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import type { FolderWatch } from './folder-watch.ts';
import type { DatastoreScan, DatastoreScanner } from './pbs-scan.ts';
import type { ScannedGroup } from './trigger.ts';

/** The truth, when no watcher says anything. */
const scanEveryMs = 5 * 60_000;
/** While a backup runs, because the end of one shows in a folder that nobody watches. */
const scanUnfinishedMs = 15_000;
/** While watchers do not work. */
const scanWithoutWatchMs = 60_000;
/** Once more, after the watch of new folders was set up. */
const scanNewFoldersMs = 3_000;
/** Hints come in swarms. */
const hintMs = 2_000;

export interface PbsWatcherServices {
  readonly clock: Clock;
  readonly scanner: DatastoreScanner;
  readonly folders: FolderWatch;
  scanned(groups: readonly ScannedGroup[]): void;
  /** What keeps it from working well, in words; told once until it changes. `undefined`: all is well again. */
  problem(text: string | undefined): void;
}

export class PbsWatcher {
  readonly #datastore: string;
  readonly #services: PbsWatcherServices;
  readonly #stop = new AbortController();
  readonly #work: Promise<void>;
  #hint = new AbortController();
  #watchFault: string | undefined;
  #told: string | undefined;

  constructor(datastore: string, services: PbsWatcherServices) {
    this.#datastore = datastore;
    this.#services = services;
    this.#work = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#hint.abort();
    await this.#work;
    await this.#services.folders.close();
  }

  async #run(): Promise<void> {
    const { clock, folders } = this.#services;
    folders.onHint(() => {
      this.#hint.abort();
    });
    folders.onFault((text) => {
      this.#watchFault = text;
      this.#hint.abort();
    });
    while (!this.#stopped()) {
      this.#hint = new AbortController();
      const waitMs = await this.#scan();
      if (this.#stopped()) return;
      await clock.sleep(waitMs, { signal: this.#hint.signal }).catch(() => undefined);
      if (this.#hint.signal.aborted && !this.#stopped()) {
        await clock.sleep(hintMs, { signal: this.#stop.signal }).catch(() => undefined);
      }
    }
  }

  /** Answers how long to wait for the next one. */
  async #scan(): Promise<number> {
    let scan: DatastoreScan;
    try {
      scan = await this.#services.scanner.scan(this.#datastore, this.#stop.signal);
    } catch (error) {
      if (!this.#stopped()) this.#tell(messageOf(error));
      return scanWithoutWatchMs;
    }
    this.#services.scanned(scan.groups);
    const newFolders = this.#watchFault === undefined && this.#services.folders.watch(scan.folders);
    this.#tell(this.#watchFault);
    if (newFolders) return scanNewFoldersMs;
    if (scan.unfinished > 0) return scanUnfinishedMs;
    return this.#watchFault === undefined ? scanEveryMs : scanWithoutWatchMs;
  }

  #tell(text: string | undefined): void {
    if (text === this.#told) return;
    this.#told = text;
    this.#services.problem(text);
  }

  #stopped(): boolean {
    return this.#stop.signal.aborted;
  }
}
