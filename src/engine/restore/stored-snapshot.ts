/** One snapshot as the repository has it, with its index files rebuilt and compared, ready to be written. */
import { createHash } from 'node:crypto';
import { concatBytes, equalBytes } from '../../core/bytes.ts';
import { CorruptionError, NotFoundError } from '../../core/errors.ts';
import type { ChunkRule } from '../compute/compute.ts';
import type { PbsBlobFile, SnapshotRecord } from '../format/snapshot.ts';
import { joinDynamicIndex, DynamicIndex } from '../pbs/dynamic-index.ts';
import { joinFixedIndex, FixedIndex } from '../pbs/fixed-index.ts';
import { clientLogFile, formatTime, manifestFile, type SnapshotName } from '../pbs/layout.ts';
import { checkManifestPlace, decodeManifest, type Manifest, type ManifestFile } from '../pbs/manifest.ts';
import type { Repository, SnapshotSummary } from '../repository/repository.ts';
import { readList, type PbsIndexFile } from './list-reader.ts';

export interface StoredIndex {
  readonly record: PbsIndexFile;
  readonly rule: ChunkRule;
  readonly index: FixedIndex | DynamicIndex;
  /** The file, byte for byte. */
  readonly bytes: Uint8Array;
  /** Numbers of chunks that were left out on purpose when the snapshot was made. */
  readonly holes: ReadonlySet<number>;
}

export interface StoredSnapshot {
  readonly summary: SnapshotSummary;
  readonly record: SnapshotRecord;
  /** Where it goes in the target. */
  readonly name: SnapshotName;
  readonly manifest: Manifest;
  readonly manifestBlob: Uint8Array;
  readonly indexes: readonly StoredIndex[];
  readonly blobs: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

/** `ns/a/b/vm/100/2024-06-05T14:24:36Z`: as people and the command line name it. */
export function snapshotLabel(name: SnapshotName): string {
  const namespace = name.namespace === '' ? '' : `ns/${name.namespace}/`;
  return `${namespace}${name.type}/${name.id}/${formatTime(name.timeSeconds)}`;
}

/** A file of a snapshot could not be rebuilt. */
export class UnreadableFile extends CorruptionError {
  readonly file: string;

  constructor(file: string, cause: Error) {
    super(`${file} cannot be rebuilt: ${cause.message}`, { cause });
    this.file = file;
  }
}

/**
 * Reads everything of a snapshot but its chunks. @throws UnreadableFile when the repository lacks a part of it or a
 * rebuilt file is not what record and manifest say; StorageError.
 */
export async function loadStored(
  repository: Repository,
  summary: SnapshotSummary,
  record: SnapshotRecord,
  name: SnapshotName,
  signal: AbortSignal | undefined,
): Promise<StoredSnapshot> {
  const { files, holes } = record.source;
  const manifestRecord = files.find((file) => file.name === manifestFile);
  const manifestBlob = await about(manifestFile, () => readBlobFile(repository, manifestRecord, signal));
  const manifest = await about(manifestFile, async () => {
    const decoded = decodeManifest(manifestBlob);
    checkManifestPlace(decoded, name);
    return decoded;
  });
  const indexes: StoredIndex[] = [];
  const blobs: { name: string; bytes: Uint8Array }[] = [];
  for (const file of files) {
    signal?.throwIfAborted();
    if (file.name === manifestFile) continue;
    const listed = manifest.files.find((each) => each.name === file.name);
    await about(file.name, async () => {
      if (!listed && file.name !== clientLogFile) throw new CorruptionError('the manifest does not name it');
      if (file.kind === 'blob') {
        const bytes = await readBlobFile(repository, file, signal);
        if (listed) compare(listed, bytes.byteLength, createHash('sha256').update(bytes).digest());
        blobs.push({ name: file.name, bytes });
      } else if (listed) {
        const numbers = holes.filter((hole) => hole.file === file.name).map((hole) => hole.index);
        indexes.push(await rebuildIndex(repository, file, listed, new Set(numbers), signal));
      }
    });
  }
  return { summary, record, name, manifest, manifestBlob, indexes, blobs };
}

async function rebuildIndex(
  repository: Repository,
  file: PbsIndexFile,
  listed: ManifestFile,
  holes: ReadonlySet<number>,
  signal: AbortSignal | undefined,
): Promise<StoredIndex> {
  const { digests, lengths } = await readList(file, (ref) => repository.readContent('list', ref, signal));
  const fixed = file.kind === 'fixed';
  const bytes = fixed ? joinFixedIndex(file.header, digests) : joinDynamicIndex(file.header, lengths, digests);
  const index = fixed ? new FixedIndex(bytes) : new DynamicIndex(bytes);
  compare(listed, index.size, index.checksum);
  // What was stored unverified is held to the same: that it is what PBS had, not what its digest says.
  const verify = file.assurance === 'plain' ? 'digest' : 'crc';
  return { record: file, rule: { cryptMode: listed.cryptMode, verify }, index, bytes, holes };
}

async function readBlobFile(
  repository: Repository,
  file: SnapshotRecord['source']['files'][number] | undefined,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (file?.kind !== 'blob') throw new CorruptionError('the snapshot record does not name it');
  const bytes = concatBytes(...(await readAll(repository, file, signal)));
  if (bytes.byteLength !== file.size) throw new CorruptionError('it has another length than its record says');
  return bytes;
}

async function readAll(
  repository: Repository,
  file: PbsBlobFile,
  signal: AbortSignal | undefined,
): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for (const ref of file.data) pieces.push(await repository.readContent('data', ref, signal));
  return pieces;
}

function compare(listed: ManifestFile, size: number, checksum: Uint8Array): void {
  if (size !== listed.size) throw new CorruptionError(`it has ${size} bytes, the manifest says ${listed.size}`);
  if (!equalBytes(checksum, listed.checksum)) throw new CorruptionError('its checksum is not the one in the manifest');
}

async function about<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CorruptionError || error instanceof NotFoundError) throw new UnreadableFile(file, error);
    throw error;
  }
}
