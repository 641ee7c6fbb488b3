/** Hints that something changed in one of a set of folders. May lose some: nothing relies on it. */
import { watch, type FSWatcher } from 'chokidar';
import { messageOf, systemCode } from '../core/errors.ts';

export interface FolderWatch {
  /**
   * From now on exactly these folders (not what is below them) are watched. Answers whether some are new: what happens in
   * those while the watch is being set up may give no hint.
   */
  watch(folders: readonly string[]): boolean;
  onHint(hint: () => void): void;
  /** Called when watching does not work; it is given up then. */
  onFault(fault: (text: string) => void): void;
  close(): Promise<void>;
}

/** Watches folders only, one each: chokidar would watch every file in them. */
export class ChokidarFolderWatch implements FolderWatch {
  readonly #watcher: FSWatcher;
  #watched: ReadonlySet<string> = new Set();

  constructor() {
    this.#watcher = watch([], {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
      ignored: (path, stats) => path.includes('/.') || (stats !== undefined && !stats.isDirectory()),
    });
  }

  watch(folders: readonly string[]): boolean {
    const wanted = new Set(folders);
    const added = folders.filter((folder) => !this.#watched.has(folder));
    const gone = [...this.#watched].filter((folder) => !wanted.has(folder));
    if (gone.length > 0) this.#watcher.unwatch(gone);
    if (added.length > 0) this.#watcher.add(added);
    this.#watched = wanted;
    return added.length > 0;
  }

  onHint(hint: () => void): void {
    this.#watcher.on('addDir', hint);
    this.#watcher.on('unlinkDir', hint);
  }

  onFault(fault: (text: string) => void): void {
    this.#watcher.on('error', (error) => {
      const code = systemCode(error);
      const limit = code === 'ENOSPC' || code === 'EMFILE' ? ' (see fs.inotify.max_user_watches)' : '';
      fault(`folders cannot be watched: ${messageOf(error)}${limit}`);
      void this.#watcher.close();
    });
  }

  async close(): Promise<void> {
    await this.#watcher.close();
  }
}
