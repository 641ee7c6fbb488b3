/** What is in a datastore: the truth of the `pbs` trigger. Reads folders, opens no file of a snapshot. */
import { openDatastore } from '../engine/pbs/datastore.ts';
import type { ScannedGroup } from './trigger.ts';

export interface DatastoreScan {
  readonly groups: readonly ScannedGroup[];
  /** Folders in which something new shows up first: those of groups, and the ones above them. */
  readonly folders: readonly string[];
  /** Snapshots without a manifest: backups that run right now, or were cut off. */
  readonly unfinished: number;
}

export interface DatastoreScanner {
  /** @throws SourceError */
  scan(datastore: string, signal: AbortSignal): Promise<DatastoreScan>;
}

export const datastoreScanner: DatastoreScanner = {
  async scan(path, signal) {
    const datastore = await openDatastore(path);
    const groups: ScannedGroup[] = [];
    const folders = new Set<string>();
    let unfinished = 0;
    for (const group of await datastore.listGroups({ signal })) {
      const snapshots = await datastore.listSnapshots(group, { signal });
      const finished = snapshots.filter((snapshot) => snapshot.finished);
      unfinished += snapshots.length - finished.length;
      const name = `${group.type}/${group.id}`;
      const times = finished.map((snapshot) => snapshot.timeSeconds).sort((a, b) => a - b);
      groups.push({ name: group.namespace === '' ? name : `${group.namespace}:${name}`, finished: times });
      folders.add(group.directory).add(group.directory.slice(0, group.directory.lastIndexOf('/')));
    }
    return { groups, folders: [...folders].sort(), unfinished };
  },
};
