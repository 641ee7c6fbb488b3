/**
 * Names and places inside a datastore: pure functions over texts, no file is touched.
 *
 * ```
 * .chunks/<first 4 hex digits>/<64 hex digits>
 * [ns/<name>/]…<type>/<id>/            group: owner, notes
 * [ns/<name>/]…<type>/<id>/<time>/     snapshot: index.json.blob, *.fidx, *.didx, *.blob, .protected
 * ```
 */
import { toHex } from '../../core/bytes.ts';

export const backupTypes = ['ct', 'host', 'vm'] as const;
export type BackupType = (typeof backupTypes)[number];

/** A namespace is `''` for the root, or up to 7 names joined by `/`: `customers/acme`. */
export type Namespace = string;

export interface GroupName {
  readonly namespace: Namespace;
  readonly type: BackupType;
  readonly id: string;
}

export interface SnapshotName extends GroupName {
  readonly timeSeconds: number;
}

export const manifestFile = 'index.json.blob';
export const clientLogFile = 'client.log.blob';
export const protectedFile = '.protected';
export const ownerFile = 'owner';
export const notesFile = 'notes';
export const chunkFolder = '.chunks';
export const lockFile = '.lock';

export const maxNamespaceDepth = 7;
const maxNamespaceLength = 255;
const latestSeconds = 253_402_300_799;

const safeId = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const timeShape = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const archiveName = /^[A-Za-z0-9_][A-Za-z0-9._-]*\.(fidx|didx|blob)$/;

export function isBackupType(text: string): text is BackupType {
  return (backupTypes as readonly string[]).includes(text);
}

/** Ids of groups, components of namespaces and names of datastores. At most 255 bytes, as file names are. */
export function isSafeId(text: string): boolean {
  return text.length <= 255 && safeId.test(text);
}

export function isNamespace(text: string): boolean {
  if (text === '') return true;
  const parts = text.split('/');
  return parts.length <= maxNamespaceDepth && text.length <= maxNamespaceLength && parts.every(isSafeId);
}

/** How many names a namespace has; 0 for the root. */
export function namespaceDepth(namespace: Namespace): number {
  return namespace === '' ? 0 : namespace.split('/').length;
}

/** Folder of a namespace relative to the datastore: `ns/a/ns/b`, empty for the root. @throws RangeError for no namespace. */
export function namespaceFolder(namespace: Namespace): string {
  if (!isNamespace(namespace)) throw new RangeError(`not a namespace: ${JSON.stringify(namespace.slice(0, 300))}`);
  return namespace === '' ? '' : `ns/${namespace.split('/').join('/ns/')}`;
}

/** Folder of a group relative to the datastore. @throws RangeError for a name that PBS would not accept. */
export function groupFolder(group: GroupName): string {
  if (!isBackupType(group.type) || !isSafeId(group.id)) {
    throw new RangeError(`not a backup group: ${JSON.stringify(`${group.type}/${group.id}`.slice(0, 300))}`);
  }
  const parent = namespaceFolder(group.namespace);
  return `${parent}${parent === '' ? '' : '/'}${group.type}/${group.id}`;
}

/** Folder of a snapshot relative to the datastore. @throws RangeError for a name that PBS would not accept. */
export function snapshotFolder(snapshot: SnapshotName): string {
  return `${groupFolder(snapshot)}/${formatTime(snapshot.timeSeconds)}`;
}

/** Whether the seconds since the epoch lie between the first one and the end of the year 9999. */
export function isBackupTime(timeSeconds: number): boolean {
  return Number.isInteger(timeSeconds) && timeSeconds >= 1 && timeSeconds <= latestSeconds;
}

/** `2024-06-05T14:24:36Z`. @throws RangeError for a time before 1 or after the year 9999. */
export function formatTime(timeSeconds: number): string {
  if (!isBackupTime(timeSeconds)) {
    throw new RangeError(`not a backup time: ${String(timeSeconds)}`);
  }
  return `${new Date(timeSeconds * 1000).toISOString().slice(0, 19)}Z`;
}

/** Seconds since the epoch of a snapshot folder's name; undefined where it is none, or names a day that never was. */
export function parseTime(name: string): number | undefined {
  if (!timeShape.test(name)) return undefined;
  const timeSeconds = Date.parse(name) / 1000;
  if (!Number.isInteger(timeSeconds) || timeSeconds < 1) return undefined;
  return formatTime(timeSeconds) === name ? timeSeconds : undefined;
}

/** `host/benchmark` holds what the client's benchmark wrote: no backup of anything. */
export function isScratchGroup(group: Pick<GroupName, 'type' | 'id'>): boolean {
  return group.type === 'host' && group.id === 'benchmark';
}

export type ArchiveKind = 'fixed' | 'dynamic' | 'blob';

/** What a file of a snapshot is, by its name; undefined for a name that no manifest may hold. */
export function archiveKind(name: string): ArchiveKind | undefined {
  if (name.length > 255) return undefined;
  switch (archiveName.exec(name)?.[1]) {
    case 'fidx':
      return 'fixed';
    case 'didx':
      return 'dynamic';
    case 'blob':
      return 'blob';
    default:
      return undefined;
  }
}

/** Path of a chunk relative to the datastore. */
export function chunkPath(digest: Uint8Array): string {
  const hex = toHex(digest);
  if (hex.length !== 64) throw new RangeError('a chunk digest has 32 bytes');
  return `${chunkFolder}/${hex.slice(0, 4)}/${hex}`;
}

/** The order in which PBS shows groups: by namespace, type (ct, host, vm), then id, numbers first and by value. */
export function compareGroups(a: GroupName, b: GroupName): number {
  return compareText(a.namespace, b.namespace) || compareText(a.type, b.type) || compareIds(a.id, b.id);
}

function compareIds(a: string, b: string): number {
  const numbers = [a, b].map((id) => (/^\d+$/.test(id) ? BigInt(id) : undefined));
  const [first, second] = numbers;
  if (first !== undefined && second !== undefined && first !== second) return first < second ? -1 : 1;
  if ((first === undefined) !== (second === undefined)) return first === undefined ? 1 : -1;
  return compareText(a, b);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
