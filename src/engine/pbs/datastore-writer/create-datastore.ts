/** A new, empty datastore that PBS would accept with its option to reuse an existing one. */
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { chmod, chown, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NesteggError, systemCode } from '../../../core/errors.ts';
import { systemRandom } from '../../../core/random.ts';
import { chunkFolder, lockFile } from '../layout.ts';
import { cannotWrite, createFolder, datastoreOwner, syncFolder, writeDurably, type FileOwner } from './new-file.ts';

export interface CreateDatastoreOptions {
  readonly owner?: FileOwner;
  /** `all` 65,536 chunk folders, as PBS wants them (default), or none: each is then created when a chunk needs it. */
  readonly chunkFolders?: 'all' | 'none';
}

/** Creates it in a folder that is missing or empty. @throws NesteggError (`restore.target`). */
export async function createDatastore(path: string, options: CreateDatastoreOptions = {}): Promise<void> {
  const owner = 'owner' in options ? options.owner : datastoreOwner();
  await requireEmpty(path);
  const chunks = join(path, chunkFolder);
  try {
    await mkdir(path, { recursive: true });
    await chmod(path, 0o755);
    if (owner) await chown(path, owner.uid, owner.gid);
    await createFolder({ owner }, chunks, 0o750);
    if (options.chunkFolders !== 'none') await createChunkFolders(chunks, owner);
    await writeDurably({ owner, random: systemRandom }, join(path, lockFile), new Uint8Array(), 'wx');
    await syncFolder(chunks);
    await syncFolder(path);
  } catch (error) {
    if (error instanceof NesteggError) throw error;
    throw cannotWrite(path, error);
  }
}

/** In the manner of a worker, because 200,000 calls through the thread pool take ten times as long; others get their turn. */
async function createChunkFolders(chunks: string, owner: FileOwner): Promise<void> {
  for (let folder = 0; folder < 65_536; folder++) {
    const path = join(chunks, folder.toString(16).padStart(4, '0'));
    mkdirSync(path, { mode: 0o750 });
    chmodSync(path, 0o750);
    if (owner) chownSync(path, owner.uid, owner.gid);
    if (folder % 256 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function requireEmpty(path: string): Promise<void> {
  const entries = await readdir(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw cannotWrite(path, error);
  });
  if (entries.length > 0) {
    throw new NesteggError('restore.target', `no datastore is created in ${path}, because it is not empty`, {
      hint: 'Name an empty folder, or one that is a datastore already.',
    });
  }
}
