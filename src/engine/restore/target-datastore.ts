/** The datastore that is restored into. */
import { readdir } from 'node:fs/promises';
import { equalBytes } from '../../core/bytes.ts';
import { NesteggError, SourceError, systemCode } from '../../core/errors.ts';
import { openDatastore, type Datastore } from '../pbs/datastore.ts';
import { createDatastore } from '../pbs/datastore-writer/create-datastore.ts';
import { assertWritable } from '../pbs/datastore-writer/snapshot-publisher.ts';
import { decodeManifest, sameProtectedPart } from '../pbs/manifest.ts';
import type { HeldLock, DatastoreLocks } from '../pbs/snapshot-lock.ts';
import type { RestoreOptions } from './restore.ts';
import type { StoredSnapshot } from './stored-snapshot.ts';

export interface OpenedTarget {
  readonly path: string;
  /** Undefined in a dry run into a folder that is no datastore yet. */
  readonly datastore: Datastore | undefined;
  /** Nothing is in it: no chunk needs to be looked for. */
  readonly empty: boolean;
}

/** @throws NesteggError (`restore.target`, `pbs.refused`), SourceError (`source.unsupported`: backed by S3). */
export async function openTarget(path: string, dryRun: boolean): Promise<OpenedTarget> {
  const entries = await readdir(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw new NesteggError('restore.target', `${path} cannot be read`, { cause: error });
  });
  if (entries.length === 0) {
    if (dryRun) return { path, datastore: undefined, empty: true };
    await createDatastore(path);
    return { path, datastore: await openDatastore(path), empty: true };
  }
  const datastore = await openDatastore(path);
  assertWritable(datastore);
  return { path: datastore.path, datastore, empty: false };
}

const retryMs = 5000;

/**
 * The lock that every writer of chunks holds, waited for while garbage collection runs.
 * @throws CancelledError when aborted while waiting.
 */
export async function lockForWriting(
  locks: DatastoreLocks | undefined,
  { clock, logger }: Pick<RestoreOptions, 'clock' | 'logger'>,
  signal: AbortSignal | undefined,
): Promise<HeldLock | undefined> {
  for (;;) {
    const attempt = await locks?.lockForWriting();
    if (attempt?.outcome === 'held') return attempt.lock;
    if (attempt?.outcome !== 'busy') return undefined;
    logger.info('restore.waiting', { for: 'garbage collection of the datastore' });
    await clock.sleep(retryMs, { signal });
  }
}

export type Existing = 'absent' | 'identical' | 'different';

/** Whether a finished snapshot of that name is in the target, and whether it is the same one. */
export async function compareExisting(target: OpenedTarget, stored: StoredSnapshot): Promise<Existing> {
  const snapshot = await target.datastore?.findSnapshot(stored.name);
  if (snapshot?.finished !== true) return 'absent';
  try {
    const { manifest } = await snapshot.readManifest();
    if (!sameProtectedPart(manifest, decodeManifest(stored.manifestBlob))) return 'different';
    for (const file of manifest.files) {
      if (file.kind === 'blob') await snapshot.readBlob(file);
      else {
        const index = await snapshot.readIndex(file);
        const rebuilt = stored.indexes.find(({ record }) => record.name === file.name)?.index;
        if (!rebuilt || !equalBytes(index.header, rebuilt.header)) return 'different';
      }
    }
    return 'identical';
  } catch (error) {
    if (error instanceof SourceError) return 'different';
    throw error;
  }
}

/** @throws NesteggError (`pbs.refused`) for a group of another owner; told before anything is fetched. */
export async function refuseOtherOwner(
  target: OpenedTarget,
  stored: StoredSnapshot,
  otherOwner: RestoreOptions['otherOwner'],
): Promise<void> {
  const owner = (await target.datastore?.findGroup(stored.name))?.owner?.trim();
  const wanted = ownerOf(stored).trim();
  if (owner === undefined || owner === wanted || otherOwner === 'keep') return;
  throw new NesteggError('pbs.refused', `the group belongs to ${owner} in the target, the snapshot to ${wanted}`, {
    hint: 'Change the owner of the group in PBS, or allow the restore into a group of another owner.',
  });
}

/** A group whose owner was not known is given to the administrator of every PBS. */
export function ownerOf(stored: StoredSnapshot): string {
  return stored.record.source.owner ?? 'root@pam\n';
}
