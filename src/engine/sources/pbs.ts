/**
 * # Sources: where the bytes of a backup come from
 *
 * A source is opened once for a run, says what there is, and hands out one item at a time. It never writes. Its failures
 * are `SourceError`s, the only errors that may become warnings.
 *
 * This one is a PBS datastore; an item is one PBS snapshot. As an external reader of a datastore that PBS works in it keeps its rules: a
 * shared snapshot lock while an item is read, up to a longest time; without it (another host, the time is over) whatever
 * vanishes is told from damage by looking whether the snapshot is still there.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { realpath } from 'node:fs/promises';
import type { Clock } from '../../core/clock.ts';
import type { SourceError } from '../../core/errors.ts';
import type { OsLocks } from '../../core/os-lock.ts';
import { openDatastore, type Datastore, type Group } from '../pbs/datastore.ts';
import { isSelected, parseGroupFilter, type GroupFilter } from '../pbs/group-filter.ts';
import type { GroupName, SnapshotName } from '../pbs/layout.ts';
import { DatastoreLocks } from '../pbs/snapshot-lock.ts';
import type { LoadedManifest, Snapshot } from '../pbs/snapshot.ts';

export interface PbsSourceOptions {
  readonly type: 'pbs';
  /** Folder of the datastore. */
  readonly datastore: string;
  /** Filters in the syntax of PBS; those of `exclude` without the word `exclude:`. */
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  /** Where to begin, and how many levels of namespaces below. Default: all. */
  readonly namespaces?: { readonly root?: string | undefined; readonly depth?: number | undefined } | undefined;
  /** Longest time one snapshot lock is held, in milliseconds; default 6 hours. */
  readonly lockMaxMs?: number | undefined;
}

export interface PbsSourceParts {
  /** Name of this machine: part of what tells its unverified chunks from those of others. */
  readonly device: string;
  readonly clock: Clock;
  /** Without it no locks are taken: the lockless rules. */
  readonly osLocks?: OsLocks | undefined;
  /** Where PBS keeps its locks and its list of datastores; for tests. */
  readonly pbsRunDirectory?: string | undefined;
  readonly pbsConfigFile?: string | undefined;
}

export interface ListedGroup {
  readonly group: Group;
  /** Oldest first, unfinished ones included. */
  readonly snapshots: readonly Snapshot[];
}

export interface PbsListing {
  readonly groups: readonly ListedGroup[];
  /** Folders and files that could not be read; everything else is listed. */
  readonly problems: readonly SourceError[];
}

export type OpenedItem =
  | { readonly outcome: 'open'; readonly item: PbsItem }
  /** Pruned since it was listed: nothing to be said about it. */
  | { readonly outcome: 'vanished' }
  /** Being written, or left behind by a client that broke off. */
  | { readonly outcome: 'unfinished' }
  /** PBS holds its lock: it is being written, verified into or removed. */
  | { readonly outcome: 'busy' };

/** One PBS snapshot that is being read. `release` it. */
export interface PbsItem {
  readonly name: SnapshotName;
  readonly snapshot: Snapshot;
  readonly group: Group;
  /** Read again after the lock was taken. */
  readonly manifest: LoadedManifest;
  /** Whether the snapshot is still in the datastore. @throws SourceError. */
  isThere(): Promise<boolean>;
  /** Gives the lock back; the item can still be read by the lockless rules. Idempotent. */
  release(): Promise<void>;
}

const defaultLockMaxMs = 6 * 3_600_000;

export class PbsDatastore {
  /** Separates chunks that nobody could verify: never shared between sources. 16 bytes. */
  readonly identity: Uint8Array;
  readonly datastoreName: string;
  readonly #options: PbsSourceOptions;
  readonly #filters: readonly GroupFilter[];
  readonly #datastore: Datastore;
  readonly #locks: DatastoreLocks | undefined;
  readonly #clock: Clock;

  private constructor(options: PbsSourceOptions, parts: PbsSourceParts, datastore: Datastore, identity: Uint8Array) {
    this.#options = options;
    this.#filters = filtersOf(options);
    this.#datastore = datastore;
    this.#clock = parts.clock;
    this.identity = identity;
    this.datastoreName = datastore.name ?? basename(datastore.path);
    this.#locks = parts.osLocks
      ? new DatastoreLocks({ os: parts.osLocks, datastore, runDirectory: parts.pbsRunDirectory })
      : undefined;
  }

  /** @throws SourceError (missing, no datastore, backed by S3, offline), UsageError for a wrong filter. */
  static async open(options: PbsSourceOptions, parts: PbsSourceParts): Promise<PbsDatastore> {
    const datastore = await openDatastore(options.datastore, { configFile: parts.pbsConfigFile });
    const place = await realpath(datastore.path);
    const hash = createHash('sha256')
      .update(JSON.stringify(['nestegg pbs source', parts.device, place]))
      .digest();
    return new PbsDatastore(options, parts, datastore, new Uint8Array(hash.subarray(0, 16)));
  }

  /** Absolute path of the datastore. */
  get path(): string {
    return this.#datastore.path;
  }

  /** Groups that the filters select, with all their snapshots. @throws SourceError when nothing at all can be read. */
  async list(signal?: AbortSignal): Promise<PbsListing> {
    const problems: SourceError[] = [];
    const onProblem = (problem: SourceError): void => {
      problems.push(problem);
    };
    const { root, depth } = this.#options.namespaces ?? {};
    const groups = await this.#datastore.listGroups({ namespace: root, depth, onProblem, signal });
    const listed: ListedGroup[] = [];
    for (const group of groups) {
      if (!isSelected(this.#filters, group)) continue;
      const snapshots = await this.#datastore.listSnapshots(group, { onProblem, signal });
      if (snapshots.length > 0) listed.push({ group, snapshots });
    }
    return { groups: listed, problems };
  }

  /** Bytes of all images, streams and blobs of these snapshots, as far as their manifests can be read. */
  async sizeOf(names: readonly SnapshotName[]): Promise<number> {
    let bytes = 0;
    for (const name of names) {
      const snapshot = await this.#datastore.findSnapshot(name);
      const loaded = await snapshot?.readManifest().catch(() => undefined);
      for (const file of loaded?.manifest.files ?? []) bytes += file.size;
    }
    return bytes;
  }

  /** Locks one snapshot and reads its manifest. @throws SourceError for a manifest that is there but cannot be used. */
  async open(name: SnapshotName): Promise<OpenedItem> {
    const attempt = await this.#locks?.lockSnapshot(name, 'shared');
    if (attempt?.outcome === 'busy') {
      return { outcome: (await this.#datastore.findSnapshot(name)) ? 'busy' : 'vanished' };
    }
    const release = attempt?.outcome === 'held' ? this.#releaseInTime(() => attempt.lock.release()) : nothingHeld;
    try {
      const opened = await this.#load(name, release);
      if (opened.outcome !== 'open') await release();
      return opened;
    } catch (error) {
      await release();
      if (!(await this.#isThere(name))) return { outcome: 'vanished' };
      throw error;
    }
  }

  async #load(name: SnapshotName, release: () => Promise<void>): Promise<OpenedItem> {
    const snapshot = await this.#datastore.findSnapshot(name);
    const group = snapshot && (await this.#datastore.findGroup(name));
    if (!snapshot || !group) return { outcome: 'vanished' };
    if (!snapshot.finished) return { outcome: 'unfinished' };
    const manifest = await snapshot.readManifest();
    const isThere = (): Promise<boolean> => this.#isThere(name);
    return { outcome: 'open', item: { name, snapshot, group, manifest, isThere, release } };
  }

  async #isThere(name: SnapshotName): Promise<boolean> {
    return (await this.#datastore.findSnapshot(name))?.finished === true;
  }

  /** Gives the lock back when asked, or when it was held for the longest time that is allowed. */
  #releaseInTime(give: () => Promise<void>): () => Promise<void> {
    const timer = new AbortController();
    let released: Promise<void> | undefined;
    const release = (): Promise<void> => {
      released ??= give();
      timer.abort();
      return released;
    };
    const longest = this.#options.lockMaxMs ?? defaultLockMaxMs;
    // A lock that cannot be given back in time ends with this process; a rejection has nobody else to hear it.
    this.#clock
      .sleep(longest, { signal: timer.signal, unref: true })
      .then(release, () => undefined)
      .catch(() => undefined);
    return release;
  }
}

function nothingHeld(): Promise<void> {
  return Promise.resolve();
}

function filtersOf(options: PbsSourceOptions): GroupFilter[] {
  const excluded = (options.exclude ?? []).map((text) => (text.startsWith('exclude:') ? text : `exclude:${text}`));
  return [...(options.include ?? []), ...excluded].map(parseGroupFilter);
}

/** `<namespace>|<type>/<id>`: the group of a snapshot as records and summaries name it. */
export function groupKey(group: GroupName): string {
  return `${group.namespace}|${group.type}/${group.id}`;
}
