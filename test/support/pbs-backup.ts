/** A made-up datastore, repositories over memory with faults, and backups of the one into the others. */
import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import { repositoryId, type RunId } from '../../src/core/ids.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { systemRandom } from '../../src/core/random.ts';
import { backupPbs } from '../../src/engine/backup/backup-pbs.ts';
import type { BackupOptions, BackupReport, BackupRequest } from '../../src/engine/backup/backup.ts';
import { RepositoryKeys } from '../../src/engine/format/keys.ts';
import type { OpenRepository } from '../../src/engine/repository/open-repository.ts';
import type { RestoreOptions } from '../../src/engine/restore/restore.ts';
import { withFaults, type FaultyStorage } from '../../src/engine/storage/faulty.ts';
import { memoryStorage } from '../../src/engine/storage/memory.ts';
import type { PbsSourceOptions } from '../../src/engine/sources/pbs.ts';
import type { DatastorePlan } from './datastore/plan.ts';
import { newRun, openTestRepository } from './repository.ts';
import type { Storage } from '../../src/engine/storage/storage.ts';

const kibibyte = 1024;

/** A VM with one disk of 12 chunks and three snapshots, a container in a namespace, a host. Quick to make and to store. */
export const smallPlan: DatastorePlan = {
  seed: 'small',
  machines: [
    {
      type: 'vm',
      id: '100',
      notes: 'web server\n',
      snapshots: 3,
      protectedSnapshots: [0],
      clientLog: true,
      disks: [{ name: 'drive-scsi0', sizeBytes: 12 * 64 * kibibyte - 100, chunkSize: 64 * kibibyte, changed: 0.25 }],
    },
    {
      type: 'ct',
      id: '200',
      namespace: 'customers/acme',
      owner: 'backup@pbs!pve1',
      snapshots: 2,
      archiveBytes: 600 * kibibyte,
      averageChunkBytes: 64 * kibibyte,
      changed: 0.2,
    },
    {
      type: 'host',
      id: 'desk-1',
      snapshots: 1,
      archiveBytes: 100 * kibibyte,
      averageChunkBytes: 32 * kibibyte,
      changed: 0,
    },
  ],
};

export interface TestRepository {
  readonly store: FaultyStorage;
  readonly repository: OpenRepository;
}

/** Repository number `number` (its keys follow from it) over `storage`, which the caller keeps. */
export async function testRepository(number: number, storage: Storage = memoryStorage()): Promise<TestRepository> {
  const store = withFaults(storage);
  const id = repositoryId(String(number).repeat(32).slice(0, 32));
  const keys = RepositoryKeys.derive(id, [new Uint8Array(32).fill(number)]);
  const repository = await openTestRepository(store, {
    name: `repository ${String(number)}`,
    keys,
    owner: undefined,
    clock: systemClock,
    packBytes: 256 * kibibyte,
  });
  return { store, repository };
}

export const testOptions: BackupOptions = {
  backup: 'datacenter',
  device: 'pbs1',
  timeZone: 'UTC',
  snapshots: { type: 'all' },
  verify: 'digest',
  allowDamaged: false,
  threads: 1,
  clock: systemClock,
  logger: silentLogger,
};

export const restoreOptions: RestoreOptions = {
  dryRun: false,
  allowDamaged: false,
  otherOwner: 'refuse',
  threads: 1,
  clock: systemClock,
  random: systemRandom,
  logger: silentLogger,
};

export interface TestBackup {
  readonly datastore: string;
  readonly repositories: readonly OpenRepository[];
  readonly source?: Partial<PbsSourceOptions>;
  readonly options?: Partial<BackupOptions>;
  readonly keep?: BackupRequest['repositories'][number]['keep'];
  readonly events?: BackupRequest['events'];
  readonly signal?: AbortSignal;
  readonly run?: RunId;
}

export function runBackup(test: TestBackup): Promise<BackupReport> {
  return backupPbs({
    source: { type: 'pbs', datastore: test.datastore, ...test.source },
    repositories: test.repositories.map((repository) => ({ repository, keep: test.keep ?? {} })),
    run: test.run ?? newRun(),
    options: { ...testOptions, ...test.options },
    events: test.events,
    signal: test.signal,
  });
}

/** Path of a snapshot folder of the small plan: `vm/100` and the like, snapshot number from 0, one a day. */
export function folderOf(datastore: string, group: string, number: number): string {
  const time = new Date(Date.UTC(2024, 5, 1 + number)).toISOString().slice(0, 19);
  return join(datastore, group, `${time}Z`);
}
