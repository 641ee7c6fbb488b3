/**
 * # Datastore writer: the one place that writes into a datastore
 *
 * Words: a *target* is a datastore that is written to. To *insert* is to make sure that a proven chunk is there; to
 * *publish* is to make a snapshot appear, whose manifest is the last file to get its name.
 *
 * Invariants: every file appears under its name whole (temporary file in the same folder, then rename); a chunk that is
 * there already is proven before it is relied on; an index is written after its chunks, a manifest after everything it
 * names; temporary names carry a mark of ours, so that what a crash left is told from what PBS is writing; files are
 * 0644, folders 0755 (chunk folders 0750), owned by backup (34:34) when we are root and by us otherwise.
 */
import { chmod, chown, lstat, mkdir, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { NesteggError, messageOf, systemCode } from '../../../core/errors.ts';
import type { Random } from '../../../core/random.ts';

/** Who shall own what is created; undefined leaves it to the process. */
export type FileOwner = { readonly uid: number; readonly gid: number } | undefined;

/** User and group `backup` of Debian, for root; nobody else may give files away. */
export function datastoreOwner(): FileOwner {
  return process.getuid?.() === 0 ? { uid: 34, gid: 34 } : undefined;
}

const suffixLetters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const ourMark = 'ne';

/** End of a temporary name: `.tmp_` and six letters as mkstemp makes them, of which the first two are our mark. */
export function temporarySuffix(random: Random): string {
  let letters = '';
  while (letters.length < 4) letters += suffixLetters[random.below(suffixLetters.length)] ?? '';
  return `.tmp_${ourMark}${letters}`;
}

/** Whether a name is that of a temporary file of ours (or, once in 3,844 times, of PBS: so age must be asked too). */
export function isOurTemporary(name: string): boolean {
  return /\.tmp_ne[A-Za-z0-9]{4}$/.test(name);
}

export interface FileTarget {
  readonly random: Random;
  readonly owner: FileOwner;
}

/** Writes a whole file under a temporary name, makes it durable and renames it. @throws NesteggError (`restore.target`). */
export async function placeFile(target: FileTarget, path: string, temporary: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeDurably(target, temporary, bytes, 'wx');
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw cannotWrite(path, error);
  }
}

/** Writes, sets mode and owner, and fsyncs. `flags`: `wx` for a new file, `w` for one that is there. */
export async function writeDurably(
  target: FileTarget,
  path: string,
  bytes: Uint8Array,
  flags: 'wx' | 'w',
): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, flags, 0o644);
    await file.writeFile(bytes);
    await file.chmod(0o644);
    if (target.owner) await file.chown(target.owner.uid, target.owner.gid);
    await file.sync();
  } finally {
    await file?.close();
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Creates the folders of `relative` below `base` that are missing, 0755, and makes their names durable.
 * @returns whether the last one was created by this call. @throws NesteggError (`restore.target`).
 */
export async function ensureFolder(target: FileTarget, base: string, relative: string): Promise<boolean> {
  let path = base;
  let created = false;
  for (const part of relative.split('/')) {
    path = join(path, part);
    created = await createFolder(target, path, 0o755);
    if (created) await syncFolder(dirname(path));
  }
  return created;
}

/** @returns false when it was there. @throws NesteggError (`restore.target`). */
export async function createFolder(target: Pick<FileTarget, 'owner'>, path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw cannotWrite(path, error);
    await requireFolder(path);
    return false;
  }
  await chmod(path, mode);
  if (target.owner) await chown(path, target.owner.uid, target.owner.gid);
  return true;
}

/** Garbage collection follows no links, so chunks of what lies behind one would be removed; and links lead anywhere. */
async function requireFolder(path: string): Promise<void> {
  if ((await lstat(path)).isDirectory()) return;
  throw new NesteggError('restore.target', `${path} is not a folder, so nothing is written below it`, {
    hint: 'Symbolic links within a datastore are not followed: put the folder itself there.',
    context: { path },
  });
}

export function cannotWrite(path: string, error: unknown): NesteggError {
  const code = systemCode(error);
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  const denied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
  return new NesteggError('restore.target', `${path} cannot be written: ${messageOf(error)}`, {
    cause: error,
    context: { path },
    ...(full
      ? { hint: 'Free space on the disk of the datastore and run the restore again; it goes on where it was.' }
      : {}),
    ...(denied ? { hint: 'A datastore belongs to the user "backup": run Nestegg as that user or as root.' } : {}),
  });
}
