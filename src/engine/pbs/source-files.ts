/** File system calls on a datastore, whose failures are `SourceError`s that name the path and say what a person can do. */
import { constants, type Dirent } from 'node:fs';
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { asBytes } from '../../core/bytes.ts';
import { SourceError, messageOf, systemCode } from '../../core/errors.ts';

/** The error for a path that could not be read. ENOENT is `source.missing`, everything else `source.unreadable`. */
export function unreadable(path: string, error: unknown): SourceError {
  const code = systemCode(error);
  if (code === 'ENOENT') {
    return new SourceError('source.missing', `${path} does not exist`, { cause: error, context: { path } });
  }
  const denied = code === 'EACCES' || code === 'EPERM';
  return new SourceError('source.unreadable', `${path} cannot be read: ${messageOf(error)}`, {
    cause: error,
    context: { path },
    retry: denied ? 'never' : 'later',
    ...(denied ? { hint: 'A datastore belongs to the user "backup": run Nestegg as that user or as root.' } : {}),
  });
}

/** Entries of a folder, sorted by name; undefined when the folder does not exist. @throws SourceError. */
export async function readFolder(path: string): Promise<Dirent[] | undefined> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw unreadable(path, error);
  }
}

/**
 * A whole regular file through one descriptor, never through a symbolic link; undefined when it does not exist.
 * @throws SourceError, also (`pbs.format`) when it is larger than `maxBytes` or no regular file.
 */
export async function readWhole(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  let file: FileHandle | undefined;
  try {
    // Non-blocking, so that a named pipe in the place of a file cannot hold the reader for ever.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const status = await file.stat();
    if (!status.isFile()) throw new SourceError('pbs.format', `${path} is not a regular file`, { context: { path } });
    if (status.size > maxBytes) {
      throw new SourceError('pbs.format', `${path} has ${String(status.size)} bytes, more than it can have`, {
        context: { path },
      });
    }
    return asBytes(await file.readFile());
  } catch (error) {
    if (error instanceof SourceError) throw error;
    if (systemCode(error) === 'ENOENT') return undefined;
    throw unreadable(path, error);
  } finally {
    await file?.close();
  }
}
