/**
 * Making one snapshot appear in a datastore. Order: group folder and `owner`, locks, snapshot folder, (the caller inserts
 * the chunks,) indexes and blobs, `.protected`, manifest. The manifest's temporary file is created first and is the mark
 * that an unfinished folder is ours; renaming it is both the end of the mark and the appearance of the snapshot.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { equalBytes, utf8 } from '../../../core/bytes.ts';
import { NesteggError, messageOf, systemCode } from '../../../core/errors.ts';
import type { Random } from '../../../core/random.ts';
import type { Datastore } from '../datastore.ts';
import { DynamicIndex } from '../dynamic-index.ts';
import { FixedIndex } from '../fixed-index.ts';
import {
  archiveKind,
  clientLogFile,
  formatTime,
  groupFolder,
  manifestFile,
  notesFile,
  ownerFile,
  protectedFile,
  snapshotFolder,
  type SnapshotName,
} from '../layout.ts';
import { checkManifestPlace, decodeManifest } from '../manifest.ts';
import { type DatastoreLocks, type HeldLock, type LockAttempt } from '../snapshot-lock.ts';
import {
  cannotWrite,
  createFolder,
  datastoreOwner,
  ensureFolder,
  isOurTemporary,
  placeFile,
  syncFolder,
  temporarySuffix,
  writeDurably,
  type FileTarget,
} from './new-file.ts';

export interface PublisherOptions {
  readonly datastore: Datastore;
  readonly snapshot: SnapshotName;
  readonly locks: DatastoreLocks;
  readonly random: Random;
  /** Content of `owner` for a new group, with its line end: `root@pam\n`. */
  readonly owner: string;
  /** Content of `notes`, written where the group has none. */
  readonly groupNotes?: string | undefined;
  /** `refuse` (default) a group that belongs to somebody else, or leave it theirs: `keep`. */
  readonly otherOwner?: 'refuse' | 'keep' | undefined;
}

interface WrittenFile {
  readonly size: number;
  readonly checksum: Uint8Array;
}

/** One snapshot being written; ended by exactly one of `publish` and `abandon`. Not safe for calls at the same time. */
export class SnapshotPublisher {
  readonly directory: string;
  /** False when the locks of PBS could not be taken because there is no PBS on this host. */
  readonly locked: boolean;
  readonly #target: FileTarget;
  readonly #snapshot: SnapshotName;
  readonly #temporaryManifest: string;
  readonly #locks: readonly HeldLock[];
  readonly #written = new Map<string, WrittenFile>();

  private constructor(
    target: FileTarget,
    snapshot: SnapshotName,
    directory: string,
    temporary: string,
    locks: readonly HeldLock[],
  ) {
    this.#target = target;
    this.#snapshot = snapshot;
    this.directory = directory;
    this.#temporaryManifest = temporary;
    this.#locks = locks;
    this.locked = locks.length > 0;
  }

  /**
   * Creates and locks group and snapshot; cleans what an earlier run of ours left unfinished. One group takes one
   * publisher at a time, which the locks see to; without them the caller must.
   * @throws NesteggError: `pbs.refused` (maintenance mode, other owner), `pbs.locked` (retry later), `restore.target`
   * (the snapshot is there already, or its folder is somebody else's unfinished one).
   */
  static async begin(options: PublisherOptions): Promise<SnapshotPublisher> {
    const { datastore, snapshot, random } = options;
    const target: FileTarget = { random, owner: datastoreOwner() };
    assertWritable(datastore);
    const locks: HeldLock[] = [];
    try {
      await ensureFolder(target, datastore.path, groupFolder(snapshot));
      keep(locks, await options.locks.lockGroup(snapshot, 'exclusive'), 'group', snapshot);
      await settleGroup(target, options);
      const directory = join(datastore.path, snapshotFolder(snapshot));
      const created = await createFolder(target, directory, 0o755);
      const attempt = await options.locks.lockSnapshot(snapshot, 'exclusive');
      if (attempt.outcome === 'busy' && created) await rmdir(directory);
      keep(locks, attempt, 'snapshot', snapshot);
      if (!created) await clearOwnLeftover(directory);
      const temporary = join(directory, `index.json${temporarySuffix(random)}`);
      await writeDurably(target, temporary, new Uint8Array(), 'wx').catch((error: unknown) => {
        throw cannotWrite(temporary, error);
      });
      return new SnapshotPublisher(target, snapshot, directory, temporary, locks);
    } catch (error) {
      await releaseAll(locks);
      throw error;
    }
  }

  /**
   * Writes an index, whose chunks must all be in the datastore.
   * @throws CorruptionError when it is none; NesteggError (`restore.target`); RangeError for a name that is no index.
   */
  async writeIndex(name: string, bytes: Uint8Array): Promise<void> {
    const kind = archiveKind(name);
    if (kind !== 'fixed' && kind !== 'dynamic') throw new RangeError(`${name} is not the name of an index`);
    const { size, checksum } = kind === 'fixed' ? new FixedIndex(bytes) : new DynamicIndex(bytes);
    const path = join(this.directory, name);
    const temporary = path.replace(/\.(fidx|didx)$/, '.tmp_$1');
    await placeFile(this.#target, path, temporary, bytes);
    this.#written.set(name, { size, checksum });
  }

  /** Writes a blob file as it is; not the manifest. @throws NesteggError (`restore.target`); RangeError for another name. */
  async writeBlob(name: string, bytes: Uint8Array): Promise<void> {
    if (archiveKind(name) !== 'blob' || name === manifestFile)
      throw new RangeError(`${name} is not the name of a blob`);
    const path = join(this.directory, name);
    const temporary = `${path.slice(0, -'.blob'.length)}${temporarySuffix(this.#target.random)}`;
    await placeFile(this.#target, path, temporary, bytes);
    this.#written.set(name, { size: bytes.byteLength, checksum: createHash('sha256').update(bytes).digest() });
  }

  /** Marks the snapshot as protected; before `publish`, so that no prune comes between. */
  async protect(): Promise<void> {
    const path = join(this.directory, protectedFile);
    await placeFile(this.#target, path, `${path}${temporarySuffix(this.#target.random)}`, new Uint8Array());
  }

  /**
   * Checks that exactly the files of the manifest were written, makes all of them durable, and lets the snapshot appear.
   * The chunks must be durable before. Durable when it resolves; releases the locks.
   * @throws CorruptionError, NesteggError (`restore.target`); the snapshot is then still unpublished, and to be abandoned.
   */
  async publish(manifestBlob: Uint8Array): Promise<void> {
    const manifest = decodeManifest(manifestBlob);
    checkManifestPlace(manifest, this.#snapshot);
    const unlisted = new Set(this.#written.keys());
    unlisted.delete(clientLogFile);
    for (const file of manifest.files) {
      unlisted.delete(file.name);
      const written = this.#written.get(file.name);
      if (written?.size !== file.size || !equalBytes(written.checksum, file.checksum)) {
        throw new NesteggError(
          'restore.target',
          `${file.name} was ${written ? 'written with other bytes than' : 'not written but'} the manifest names`,
        );
      }
    }
    if (unlisted.size > 0)
      throw new NesteggError('restore.target', `the manifest does not name ${[...unlisted].join(', ')}`);
    const lost = this.#locks.find((lock) => lock.lost.aborted);
    if (lost)
      throw new NesteggError('pbs.locked', 'the locks of PBS were lost while the snapshot was written', {
        retry: 'later',
      });
    const path = join(this.directory, manifestFile);
    try {
      await syncFolder(this.directory);
      await writeDurably(this.#target, this.#temporaryManifest, manifestBlob, 'w');
      await syncFolder(dirname(this.directory));
      await rename(this.#temporaryManifest, path);
      await syncFolder(this.directory);
    } catch (error) {
      throw cannotWrite(path, error);
    }
    await releaseAll(this.#locks);
  }

  /** Removes the unfinished snapshot and releases the locks; inserted chunks are left to garbage collection. */
  async abandon(): Promise<void> {
    try {
      await rm(this.directory, { recursive: true, force: true });
    } catch (error) {
      throw cannotWrite(this.directory, error);
    } finally {
      await releaseAll(this.#locks);
    }
  }
}

/** @throws NesteggError (`pbs.refused`) when PBS has the datastore in a maintenance mode that allows no writes. */
export function assertWritable(datastore: Datastore): void {
  const mode = datastore.entry?.maintenance;
  if (mode === undefined) return;
  throw new NesteggError(
    'pbs.refused',
    `${datastore.path} is in PBS maintenance mode "${mode}", so nothing is written to it`,
    {
      retry: 'later',
      hint: 'End the maintenance mode of the datastore in PBS first.',
    },
  );
}

function keep(locks: HeldLock[], attempt: LockAttempt, what: string, snapshot: SnapshotName): void {
  if (attempt.outcome === 'held') locks.push(attempt.lock);
  if (attempt.outcome !== 'busy') return;
  throw new NesteggError('pbs.locked', `PBS holds the lock of the ${what} of ${snapshot.type}/${snapshot.id}`, {
    retry: 'later',
    hint: 'A backup, prune or sync of this group is running: try again when it has ended.',
    context: { group: groupFolder(snapshot), time: formatTime(snapshot.timeSeconds) },
  });
}

async function settleGroup(target: FileTarget, options: PublisherOptions): Promise<void> {
  const folder = join(options.datastore.path, groupFolder(options.snapshot));
  for (const name of await readdir(folder)) {
    if (isOurTemporary(name)) await rm(join(folder, name), { force: true });
  }
  const existing = await readText(join(folder, ownerFile));
  if (existing === undefined) await placeText(target, folder, ownerFile, options.owner);
  else if (existing.trim() !== options.owner.trim() && options.otherOwner !== 'keep') {
    throw new NesteggError(
      'pbs.refused',
      `${folder} belongs to ${existing.trim()}, the snapshot to ${options.owner.trim()}`,
      {
        hint: 'Change the owner of the group in PBS, or allow the restore into a group of another owner.',
      },
    );
  }
  if (options.groupNotes !== undefined && (await readText(join(folder, notesFile))) === undefined) {
    await placeText(target, folder, notesFile, options.groupNotes);
  }
}

async function placeText(target: FileTarget, folder: string, name: string, text: string): Promise<void> {
  const path = join(folder, name);
  await placeFile(target, path, `${path}${temporarySuffix(target.random)}`, utf8(text));
  await syncFolder(folder);
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw new NesteggError('restore.target', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  });
}

/** What is there must be empty, or begun by us and never finished. */
async function clearOwnLeftover(directory: string): Promise<void> {
  const names = await readdir(directory);
  if (names.includes(manifestFile)) {
    throw new NesteggError('restore.target', `the snapshot ${directory} is there already`, { context: { directory } });
  }
  if (names.length > 0 && !names.some((name) => name.startsWith('index.json.') && isOurTemporary(name))) {
    throw new NesteggError('restore.target', `${directory} is an unfinished snapshot of somebody else`, {
      hint: 'Remove it in PBS if nothing is writing to it any more.',
    });
  }
  // The mark goes last: a crash in between must leave a folder that is still known to be ours.
  const marksLast = names.sort((a, b) => Number(isOurTemporary(a)) - Number(isOurTemporary(b)));
  for (const name of marksLast) await rm(join(directory, name), { recursive: true, force: true });
}

async function releaseAll(locks: readonly HeldLock[]): Promise<void> {
  for (const lock of [...locks].reverse()) await lock.release();
}
