/** The watch process: holds the file watchers, whose memory and crashes are not the daemon's. Ends with the daemon. */
import { systemClock } from '../core/clock.ts';
import { ChokidarFolderWatch } from './folder-watch.ts';
import type { FromWatchProcess, ToWatchProcess } from './pbs-messages.ts';
import { datastoreScanner } from './pbs-scan.ts';
import { PbsWatcher } from './pbs-watcher.ts';

const watchers = new Map<number, PbsWatcher>();

function send(message: FromWatchProcess): void {
  if (process.connected) process.send?.(message);
}

process.on('message', (message: ToWatchProcess) => {
  const { id } = message;
  if (message.type === 'unwatch') {
    const watcher = watchers.get(id);
    watchers.delete(id);
    void watcher?.close();
    return;
  }
  const watcher = new PbsWatcher(message.datastore, {
    clock: systemClock,
    scanner: datastoreScanner,
    folders: new ChokidarFolderWatch(),
    scanned: (groups) => {
      send({ type: 'scanned', id, groups });
    },
    problem: (text) => {
      send({ type: 'problem', id, text });
    },
  });
  watchers.set(id, watcher);
});

// The daemon is gone, or asks for the end by hanging up.
process.on('disconnect', () => process.exit(0));
// A terminal sends these to the whole group; the daemon decides when this process ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
