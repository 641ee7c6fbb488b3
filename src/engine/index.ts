/**
 * # Engine: the facade
 *
 * All that tasks and the command line may use of the engine, and the one place where storage decorators are stacked:
 * retry over throttle over concurrency over the store, and read-only outermost where nothing may be written.
 */
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../core/logger.ts';
import type { OsLocks } from '../core/os-lock.ts';
import type { Random } from '../core/random.ts';
import type { Secret } from '../core/secret.ts';
import { UsageError } from '../core/errors.ts';
import { loadZstd, zstdImplementation } from './compression/zstd.ts';
import { blake3Implementation, loadBlake3 } from './crypto/blake3.ts';
import { initRepository as createRepository, type NewRepository } from './repository/init.ts';
import { openRepository as open, type OpenedRepository } from './repository/open.ts';
import type { Credential } from './repository/unlock.ts';
import { loadFormat } from './format/load.ts';
import { withConcurrency } from './storage/concurrency.ts';
import { openFilesystemStorage } from './storage/filesystem.ts';
import { probeStorage, type ProbeReport, type ProbeTarget } from './storage/probe.ts';
import { withReadOnly } from './storage/read-only.ts';
import { withRetry } from './storage/retry.ts';
import { s3ProbeTarget } from './storage/s3/probe-target.ts';
import { s3Storage } from './storage/s3/s3-storage.ts';
import { openSiaStorage } from './storage/sia/sia-storage.ts';
import type { Storage } from './storage/storage.ts';
import { StoreRecord } from './storage/store-record.ts';
import { withThrottle } from './storage/throttle.ts';
import { TokenBucket } from './storage/token-bucket.ts';

export { backupPbs } from './backup/backup-pbs.ts';
export type { BackupReport, BackupTarget } from './backup/backup.ts';
export { restoreSnapshots } from './restore/restore-pbs.ts';
export { checkRepository } from './maintenance/check.ts';
export { rebuildIndex } from './maintenance/rebuild-index.ts';
export { recoveryCodeOf } from './repository/open.ts';
export type { OpenRepository } from './repository/open-repository.ts';
export type { SnapshotSummary } from './repository/repository.ts';
export type { Credential } from './repository/unlock.ts';
export type { NewRepository } from './repository/init.ts';
export type { ProbeReport } from './storage/probe.ts';
export type { SnapshotRecord } from './format/snapshot.ts';

/** Where a repository lies, with what the store asks for. */
export type StorageLocation =
  | { readonly type: 'filesystem'; readonly path: string }
  | ({ readonly type: 's3'; readonly region?: string | undefined } & Bucket)
  | ({
      readonly type: 'sia';
      /** Admin API of the gateway: what it tells decides what counts as off-site. */
      readonly gateway: { readonly api: string; readonly password: Secret };
      readonly offsiteEveryMs?: number | undefined;
    } & Bucket);

interface Bucket {
  readonly endpoint: string;
  readonly bucket: string;
  readonly prefix: string;
  readonly accessKey: Secret;
  readonly secretKey: Secret;
}

export interface StorageContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Requests at once to begin with; default: what suits the store. */
  readonly concurrency?: number | undefined;
  /** Bytes per second; unlimited when absent. May be changed while running. */
  readonly upload?: TokenBucket | undefined;
  readonly download?: TokenBucket | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Where this installation remembers what it saw; `undefined`: nowhere, as in a recovery on an empty machine. */
  readonly stateDirectory: string | undefined;
}

/** `create`: the folder or prefix may be missing yet. `probe`: the same, and what was found out before does not count. */
type Access = 'read' | 'write' | 'create' | 'probe';

interface Store {
  readonly storage: Storage;
  readonly target?: ProbeTarget;
}

type StoreFactory<Type extends StorageLocation['type']> = (
  location: Extract<StorageLocation, { readonly type: Type }>,
  access: Access,
  context: StorageContext,
) => Promise<Store>;

const stores: { readonly [Type in StorageLocation['type']]: StoreFactory<Type> } = {
  filesystem: async ({ path }, access, { clock, random }) => ({
    storage: await openFilesystemStorage(path, { access: access === 'probe' ? 'create' : access, clock, random }),
  }),
  s3: async (location, access, context) => {
    const conditionalPut = access === 'probe' || (await recordOf(location, context)?.conditionalPut()) === true;
    const storage = s3Storage({ ...location, conditionalPut, clock: context.clock });
    return { storage, target: s3ProbeTarget(storage) };
  },
  sia: async (location, access, context) => {
    const { clock, signal } = context;
    const record = recordOf(location, context);
    const conditionalPut = access === 'probe' || (await record?.conditionalPut()) === true;
    const storage = await openSiaStorage(
      { ...location, conditionalPut, flushMemory: record?.flushes, clock },
      { signal },
    );
    return { storage, target: s3ProbeTarget(storage.s3) };
  },
};

/** What was found out about a bucket, if this installation remembers anything. */
function recordOf(location: StorageLocation, { stateDirectory, random }: StorageContext): StoreRecord | undefined {
  if (stateDirectory === undefined || location.type === 'filesystem') return undefined;
  return new StoreRecord(stateDirectory, `${location.endpoint} ${location.bucket} ${location.prefix}`, random);
}

function openStore(location: StorageLocation, access: Access, context: StorageContext): Promise<Store> {
  const open = stores[location.type] as StoreFactory<StorageLocation['type']>;
  return open(location, access, context);
}

/** The store at `location`, decorated. @throws StorageError, UsageError */
export async function openStorage(
  location: StorageLocation,
  access: Access,
  context: StorageContext,
): Promise<Storage> {
  const { storage } = await openStore(location, access, context);
  return decorated(storage, access, context);
}

function decorated(storage: Storage, access: Access, context: StorageContext): Storage {
  const { clock, random, logger, concurrency, upload, download } = context;
  const limited = withConcurrency(storage, { logger, ...(concurrency === undefined ? {} : { start: concurrency }) });
  const unlimited = (): TokenBucket => new TokenBucket(undefined, clock);
  const paced =
    (upload ?? download)
      ? withThrottle(limited, { upload: upload ?? unlimited(), download: download ?? unlimited() })
      : limited;
  const patient = withRetry(paced, { logger, clock, random });
  return access === 'read' ? withReadOnly(patient) : patient;
}

export interface RepositoryLocation {
  /** As the configuration calls it; for messages. */
  readonly name: string;
  readonly storage: StorageLocation;
  readonly credential: Credential;
  readonly readOnly: boolean;
  readonly packBytes?: number | undefined;
  /** zstd level of what is not a PBS chunk; default `auto`. */
  readonly compression?: number | 'off' | 'auto' | undefined;
}

export interface EngineContext extends StorageContext {
  readonly locks: OsLocks | undefined;
}

/** Opens storage and repository. Close the repository at the end. @throws NesteggError, StorageError */
export async function openRepository(location: RepositoryLocation, context: EngineContext): Promise<OpenedRepository> {
  const { name, credential, packBytes, compression, readOnly } = location;
  const storage = await openStorage(location.storage, readOnly ? 'read' : 'write', context);
  try {
    return await open({ ...context, name, storage, credential, packBytes, compression });
  } catch (error) {
    await storage.close();
    throw error;
  }
}

export interface InitResult extends NewRepository {
  readonly probe: ProbeReport;
}

/**
 * Probes an empty location, then creates a repository there. Repositories of one family share the chunker secret of the
 * first: give `sibling`. @throws UsageError, StorageError, NesteggError `repository.exists`
 */
export async function initRepository(
  location: {
    readonly storage: StorageLocation;
    readonly password: Secret;
    readonly sibling?: OpenedRepository | undefined;
  },
  context: StorageContext,
): Promise<InitResult> {
  if (location.password.reveal().length === 0) throw new UsageError('the password of a repository must not be empty');
  await loadFormat();
  const { storage, target } = await openStore(location.storage, 'probe', context);
  const patient = decorated(storage, 'probe', context);
  const { clock, random, signal } = context;
  try {
    const probe = await probeStorage(patient, { clock, random, signal, ...(target ? { target } : {}) });
    await recordOf(location.storage, context)?.keepProbe(probe);
    const chunker = location.sibling?.unlocked.chunker;
    const made = await createRepository({
      storage: patient,
      password: location.password,
      chunker,
      clock,
      random,
      signal,
    });
    return { ...made, probe };
  } finally {
    await patient.close();
  }
}

/** What the store at `location` can do, found out by trying. @throws StorageError `storage.unsupported` when it lacks an essential */
export async function probeLocation(location: StorageLocation, context: StorageContext): Promise<ProbeReport> {
  const { storage, target } = await openStore(location, 'probe', context);
  const { clock, random, signal } = context;
  try {
    const report = await probeStorage(storage, { clock, random, signal, ...(target ? { target } : {}) });
    await recordOf(location, context)?.keepProbe(report);
    return report;
  } finally {
    await storage.close();
  }
}

export interface Implementation {
  readonly part: string;
  readonly inUse: string;
  /** What a complete installation on this Node uses. The bytes are the same. */
  readonly fastest: string;
}

/** Which of several implementations this process uses, for `doctor`. */
export async function implementations(): Promise<readonly Implementation[]> {
  await Promise.all([loadZstd(), loadBlake3()]);
  const zstd = zstdImplementation();
  return [
    { part: 'zstd', inUse: zstd, fastest: zstd === 'zlib' ? 'zlib' : 'native' },
    { part: 'BLAKE3', inUse: blake3Implementation(), fastest: 'native' },
    { part: 'Argon2', inUse: (await isInstalled('@node-rs/argon2')) ? 'native' : 'wasm', fastest: 'native' },
    { part: 'XChaCha20-Poly1305', inUse: 'OpenSSL', fastest: 'OpenSSL' },
    { part: 'index cache', inUse: (await isInstalled('lmdb')) ? 'lmdb' : 'memory', fastest: 'lmdb' },
  ];
}

async function isInstalled(optionalPackage: string): Promise<boolean> {
  try {
    await import(optionalPackage);
    return true;
  } catch {
    return false;
  }
}
