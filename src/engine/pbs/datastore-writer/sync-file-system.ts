/** Makes everything written to one file system durable at once (syncfs), as PBS does at the end of a backup. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { NesteggError, messageOf } from '../../../core/errors.ts';

const run = promisify(execFile);

/** Node has no syncfs; `sync -f` of coreutils is it. @throws NesteggError (`restore.target`): then nothing is known to be durable. */
export async function syncFileSystem(path: string, signal?: AbortSignal): Promise<void> {
  try {
    await run('sync', ['-f', '--', path], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }, signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new NesteggError('restore.target', `the file system of ${path} could not be synced: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
