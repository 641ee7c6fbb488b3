/**
 * # Proxmox Backup Server datastores, without Proxmox code
 *
 * Words: a *datastore* is a folder with `.chunks` and groups. A *group* (namespace, type, id) is the line of snapshots
 * of one machine. A *snapshot* is one backup: a manifest and the files it names. An *index* lists chunks by digest; a
 * *chunk* is a file named by the digest of its data; a *blob* (DataBlob) is the envelope of chunks and small files.
 *
 * Covered: the on-disk formats and locks of PBS 2.x to 4.2 (manifest, blob with zstd and AES-256-GCM, fixed and dynamic
 * index, key files, namespaces up to 7 deep, lock files of 3.3.5 and later, directory locks before and on upgraded
 * hosts, maintenance modes). Not covered, and refused with a clear error: datastores whose chunks are in S3.
 *
 * Invariants: nothing here writes to a datastore but `datastore-writer/`. Bytes from a datastore are hostile until they
 * are proven: the decoders throw `CorruptionError`, the functions that touch files throw `SourceError` that names the
 * file; no length is trusted before it was compared with what is there. Names from files never become paths before they
 * passed `layout.ts`. This folder is a library of its own: it knows nothing of repositories and tasks.
 */
import { join, resolve } from 'node:path';
import { stat } from 'node:fs/promises';
import { SourceError, systemCode } from '../../core/errors.ts';
import { loadZstd } from '../compression/zstd.ts';
import { datastoreConfigFile, findDatastore, type DatastoreEntry } from './datastore-config.ts';
import {
  chunkFolder,
  chunkPath,
  compareGroups,
  backupTypes,
  groupFolder,
  isNamespace,
  isSafeId,
  isScratchGroup,
  maxNamespaceDepth,
  namespaceDepth,
  namespaceFolder,
  notesFile,
  ownerFile,
  parseTime,
  snapshotFolder,
  type GroupName,
  type Namespace,
  type SnapshotName,
} from './layout.ts';
import { findS3Signs } from './s3-signs.ts';
import { loadSnapshot, type Snapshot } from './snapshot.ts';
import { readFolder, readWhole, unreadable } from './source-files.ts';

export interface Group extends GroupName {
  readonly directory: string;
  /** Content of `owner` as it is, usually with a line end; undefined where the file is missing. */
  readonly owner: string | undefined;
  /** Content of `notes` as it is. */
  readonly notes: string | undefined;
}

/** Told of every folder or file that cannot be read, so that the rest goes on. Left out, the first one is thrown. */
export type ProblemListener = (problem: SourceError) => void;

export interface ListGroupsOptions {
  /** Where to begin; default: the root. */
  readonly namespace?: Namespace | undefined;
  /** How many levels of namespaces below that; default 7: all. */
  readonly depth?: number | undefined;
  readonly onProblem?: ProblemListener | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Datastore {
  /** Absolute. */
  readonly path: string;
  /** Its name in PBS, which lock files go by; undefined where the configuration of PBS does not tell. */
  readonly name: string | undefined;
  /** What PBS says about it, if this host is its PBS and we may read that. */
  readonly entry: DatastoreEntry | undefined;

  /** Absolute path of a chunk file. @throws RangeError for a digest of another length than 32. */
  chunkPath(digest: Uint8Array): string;
  /** Groups of all namespaces asked for, in the order of PBS; `host/benchmark` is none. @throws SourceError. */
  listGroups(options?: ListGroupsOptions): Promise<readonly Group[]>;
  /** Snapshots of a group, oldest first, finished or not; none when the group is gone. @throws SourceError. */
  listSnapshots(
    group: GroupName,
    options?: Pick<ListGroupsOptions, 'onProblem' | 'signal'>,
  ): Promise<readonly Snapshot[]>;
  /** One snapshot as it is now; undefined when it is gone. @throws SourceError. */
  findSnapshot(name: SnapshotName): Promise<Snapshot | undefined>;
  /** One group as it is now; undefined when it is gone. @throws SourceError. */
  findGroup(name: GroupName): Promise<Group | undefined>;
}

export interface OpenDatastoreOptions {
  /** Where PBS keeps its list of datastores. */
  readonly configFile?: string | undefined;
  /** Name in PBS, for hosts where the configuration cannot be read. */
  readonly name?: string | undefined;
}

/**
 * Opens it for reading (the writers take it from here too), and makes this thread ready to decode.
 * @throws SourceError: `source.missing`, `source.unreadable` (also while PBS has it offline), `source.unsupported` for
 * a folder that is no datastore and for one whose chunks are in S3.
 */
export async function openDatastore(path: string, options: OpenDatastoreOptions = {}): Promise<Datastore> {
  await loadZstd();
  const base = resolve(path);
  const entry = await findDatastore(base, options.configFile ?? datastoreConfigFile);
  refuseMaintenance(base, entry);
  await requireChunkFolder(base);
  const sign = entry?.backend === 's3' ? `PBS has it as "${entry.name}" with an S3 backend` : await findS3Signs(base);
  if (sign !== undefined) {
    throw new SourceError('source.unsupported', `${base} is only the cache of a datastore in S3: ${sign}`, {
      hint: 'Sync it to a datastore on a disk with a PBS sync job and back that one up.',
    });
  }
  return new LocalDatastore(base, entry, options.name);
}

class LocalDatastore implements Datastore {
  readonly path: string;
  readonly name: string | undefined;
  readonly entry: DatastoreEntry | undefined;

  constructor(path: string, entry: DatastoreEntry | undefined, name: string | undefined) {
    this.path = path;
    this.entry = entry;
    this.name = name ?? entry?.name;
  }

  chunkPath(digest: Uint8Array): string {
    return `${this.path}/${chunkPath(digest)}`;
  }

  async listGroups(options: ListGroupsOptions = {}): Promise<readonly Group[]> {
    const namespace = options.namespace ?? '';
    const groups: Group[] = [];
    await this.#walk(namespace, namespaceDepth(namespace) + (options.depth ?? maxNamespaceDepth), groups, options);
    return groups.sort(compareGroups);
  }

  async #walk(namespace: Namespace, deepest: number, groups: Group[], options: ListGroupsOptions): Promise<void> {
    const folder = join(this.path, namespaceFolder(namespace));
    for (const type of backupTypes) {
      for (const id of await this.#folders(join(folder, type), options)) {
        options.signal?.throwIfAborted();
        const name = { namespace, type, id };
        if (!isSafeId(id) || isScratchGroup(name)) continue;
        const group = await attempt(() => this.#loadGroup(name), options.onProblem);
        if (group) groups.push(group);
      }
    }
    if (namespaceDepth(namespace) >= Math.min(deepest, maxNamespaceDepth)) return;
    for (const child of await this.#folders(join(folder, 'ns'), options)) {
      const inner = namespace === '' ? child : `${namespace}/${child}`;
      if (isNamespace(inner)) await this.#walk(inner, deepest, groups, options);
    }
  }

  async listSnapshots(
    group: GroupName,
    options: Pick<ListGroupsOptions, 'onProblem' | 'signal'> = {},
  ): Promise<readonly Snapshot[]> {
    const { namespace, type, id } = group;
    const snapshots: Snapshot[] = [];
    for (const folder of await this.#folders(join(this.path, groupFolder(group)), options)) {
      options.signal?.throwIfAborted();
      const timeSeconds = parseTime(folder);
      if (timeSeconds === undefined) continue;
      const name = { namespace, type, id, timeSeconds };
      const snapshot = await attempt(() => this.findSnapshot(name), options.onProblem);
      if (snapshot) snapshots.push(snapshot);
    }
    return snapshots;
  }

  async findSnapshot(name: SnapshotName): Promise<Snapshot | undefined> {
    return loadSnapshot(name, join(this.path, snapshotFolder(name)));
  }

  async findGroup(name: GroupName): Promise<Group | undefined> {
    return (await readFolder(join(this.path, groupFolder(name)))) ? this.#loadGroup(name) : undefined;
  }

  async #loadGroup({ namespace, type, id }: GroupName): Promise<Group> {
    const directory = join(this.path, groupFolder({ namespace, type, id }));
    const owner = await readText(join(directory, ownerFile));
    return { namespace, type, id, directory, owner, notes: await readText(join(directory, notesFile)) };
  }

  async #folders(path: string, options: Pick<ListGroupsOptions, 'onProblem'>): Promise<string[]> {
    const entries = (await attempt(() => readFolder(path), options.onProblem)) ?? [];
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  }
}

const maxTextBytes = 1024 * 1024;

async function readText(path: string): Promise<string | undefined> {
  const bytes = await readWhole(path, maxTextBytes);
  return bytes && new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

async function attempt<T>(action: () => Promise<T>, onProblem: ProblemListener | undefined): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (!onProblem || !(error instanceof SourceError)) throw error;
    onProblem(error);
    return undefined;
  }
}

async function requireChunkFolder(base: string): Promise<void> {
  await stat(base).catch((error: unknown) => {
    throw unreadable(base, error);
  });
  const chunks = join(base, chunkFolder);
  const status = await stat(chunks).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw unreadable(chunks, error);
    return undefined;
  });
  if (status?.isDirectory() !== true) {
    throw new SourceError('source.unsupported', `${base} is not a PBS datastore: it has no folder ${chunkFolder}`, {
      hint: 'Name the folder that PBS shows as the path of the datastore; a removable one must be mounted.',
    });
  }
}

function refuseMaintenance(base: string, entry: DatastoreEntry | undefined): void {
  if (entry?.maintenance === undefined || entry.maintenance === 'read-only') return;
  throw new SourceError('source.unreadable', `${base} is in PBS maintenance mode "${entry.maintenance}"`, {
    retry: 'later',
    hint: 'Try again when the maintenance mode of the datastore was ended in PBS.',
  });
}
