import { constants } from 'node:fs';
import { join } from 'node:path';
import { systemClock, type Clock } from '../../core/clock.ts';
import { StorageError, systemCode } from '../../core/errors.ts';
import { systemRandom, type Random } from '../../core/random.ts';
import { systemFileCalls, type FileCalls } from './filesystem/file-calls.ts';
import { fileError, syncError } from './filesystem/file-errors.ts';
import { FilesystemStorage } from './filesystem/filesystem-storage.ts';
import { Folders } from './filesystem/folders.ts';
import { discard, linksMissing, newTemporaryName } from './filesystem/temporary.ts';
import type { Storage } from './storage.ts';

export interface FilesystemOptions {
  /** `read`: nothing is written on opening, so that a disk mounted read-only serves. `create`: the folder may be missing. */
  readonly access: 'read' | 'write' | 'create';
  /** Age from which a temporary file is a leftover of a crash, in milliseconds. Default one day. */
  readonly staleAfterMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly files?: FileCalls;
}

/** NFS, SMB in its three numbers, 9P, AFS, Ceph, Lustre, Coda; and FUSE, below which anything may lie. */
const networkTypes: ReadonlySet<number> = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x01021997, 0x5346414f, 0x00c36400, 0x0bd00bd0, 0x73757245, 0x65735546,
]);

const dayMs = 86_400_000;

/**
 * A repository in a folder. An object is a file of its name; it is written beside it under a temporary name, fsynced,
 * linked to its name, and its folder fsynced: after `put` it survives a power failure.
 * @throws StorageError `storage.unavailable` when the folder is missing (retry later: it may not be mounted yet).
 */
export async function openFilesystemStorage(root: string, options: FilesystemOptions): Promise<Storage> {
  const files = options.files ?? systemFileCalls;
  const random = options.random ?? systemRandom;
  const clock = options.clock ?? systemClock;
  const staleAfterMs = options.staleAfterMs ?? dayMs;
  try {
    if (options.access === 'create') await createRoot(files, root);
    // The root alone may be a link: what lies below is looked at from its real place.
    const real = await realRoot(files, root);
    const network = networkTypes.has((await files.filesystemType(real)) >>> 0);
    const staleBeforeMs = (): number => clock.now() - staleAfterMs;
    const folders = new Folders({ files, root: real, network, staleBeforeMs });
    await folders.checkRoot();
    const links = options.access === 'read' || (await hasLinks(files, real, random));
    if (options.access !== 'read') await folders.prepare('');
    return new FilesystemStorage({ location: `file://${root}`, files, folders, random, clock, network, links });
  } catch (error) {
    throw fileError(`opening ${root}`, error);
  }
}

async function createRoot(files: FileCalls, root: string): Promise<void> {
  try {
    await files.mkdir(root, 0o700);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    return;
  }
  const parent = await files.open(join(root, '..'), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await parent.sync();
  } catch (error) {
    throw syncError(`making ${root}`, error);
  } finally {
    await parent.close();
  }
}

async function realRoot(files: FileCalls, root: string): Promise<string> {
  try {
    return await files.realpath(root);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw new StorageError('storage.unavailable', `the folder ${root} does not exist`, {
      cause: error,
      retry: 'later',
      hint: 'Check that the disk or share is connected and mounted, and that the path is right.',
    });
  }
}

/** Whether an object can be given its name by link(2), which refuses a name that exists. A full disk leaves it open: yes. */
async function hasLinks(files: FileCalls, root: string, random: Random): Promise<boolean> {
  const from = join(root, newTemporaryName(random));
  const to = join(root, newTemporaryName(random));
  try {
    const file = await files.open(from, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    await file.close();
    await files.link(from, to);
    return true;
  } catch (error) {
    if (linksMissing(error)) return false;
    if (['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '')) return true;
    throw error;
  } finally {
    await discard(files, from);
    await discard(files, to);
  }
}
