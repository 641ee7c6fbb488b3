/** A datastore, a repository in a folder and what is done with them: the same in the processes that are killed and after. */
import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { systemClock } from '../../src/core/clock.ts';
import { runId, type SnapshotId } from '../../src/core/ids.ts';
import { toHex } from '../../src/core/bytes.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { OsLocks } from '../../src/core/os-lock.ts';
import { systemRandom } from '../../src/core/random.ts';
import { backupPbs } from '../../src/engine/backup/backup-pbs.ts';
import type { BackupReport } from '../../src/engine/backup/backup.ts';
import { openRepository } from '../../src/engine/repository/open.ts';
import type { OpenRepository } from '../../src/engine/repository/open-repository.ts';
import type { Unlocked } from '../../src/engine/repository/unlock.ts';
import { restoreSnapshots } from '../../src/engine/restore/restore-pbs.ts';
import type { RestoreReport } from '../../src/engine/restore/restore.ts';
import { openFilesystemStorage } from '../../src/engine/storage/filesystem.ts';
import type { Storage } from '../../src/engine/storage/storage.ts';
import { duringCall } from './trace.ts';

/** Small, so that the few bytes of the datastore make many packs. */
export const packBytes = 128 * 1024;

export interface RepositoryPlace {
  readonly repository: string;
  readonly state: string;
  /** File with the unlocked keys, serialized: opening with the password would cost half a second each time. */
  readonly keys: string;
}

/** What a child is to do; `datastore` is read by a backup and written by a restore. */
export interface EngineOrder {
  readonly work: 'backup' | 'restore';
  readonly place: RepositoryPlace;
  readonly datastore: string;
}

export async function openAt(place: RepositoryPlace, locks: OsLocks): Promise<OpenRepository> {
  const storage = await openFilesystemStorage(place.repository, { access: 'write' });
  const unlocked = deserialize(readFileSync(place.keys)) as Unlocked;
  const { repository } = await openRepository({
    name: 'nas',
    storage: withToldBarrier(storage),
    credential: { type: 'unlocked', unlocked },
    stateDirectory: place.state,
    locks,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    packBytes,
  });
  return repository;
}

function withToldBarrier(storage: Storage): Storage {
  const barrier: Storage['barrier'] = (names, options) => duringCall('barrier', () => storage.barrier(names, options));
  return new Proxy(storage, {
    get(target, name) {
      if (name === 'barrier') return barrier;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Every snapshot with a commit of its own, by one thread. */
export function backUp(
  datastore: string,
  repository: OpenRepository,
  committed?: (snapshots: readonly SnapshotId[]) => void,
): Promise<BackupReport> {
  return backupPbs({
    source: { type: 'pbs', datastore },
    repositories: [{ repository, keep: {} }],
    run: runId(toHex(systemRandom.bytes(16))),
    options: {
      backup: 'datacenter',
      device: 'pbs1',
      timeZone: 'UTC',
      snapshots: { type: 'all' },
      verify: 'digest',
      allowDamaged: false,
      threads: 1,
      commitEvery: { snapshots: 1 },
      clock: systemClock,
      logger: silentLogger,
    },
    ...(committed ? { events: { committed: (_repository, snapshots) => committed(snapshots) } } : {}),
  });
}

/** Everything into a datastore, by one thread, one snapshot after the other. */
export function restoreAll(repository: OpenRepository, target: string): Promise<RestoreReport> {
  return restoreSnapshots({
    repository,
    snapshots: repository.snapshots(),
    target: { datastore: target },
    options: {
      dryRun: false,
      allowDamaged: false,
      otherOwner: 'refuse',
      threads: 1,
      windowChunks: 1,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    },
  });
}
