/**
 * What PBS changes about a finished snapshot: notes and verify state in the manifest, protection, the owner and the notes
 * of the group, a client log that comes late. The data never changes; so only the record is written again.
 */
import { equalBytes } from '../../core/bytes.ts';
import { CorruptionError, NotFoundError, SourceError } from '../../core/errors.ts';
import type { SnapshotId } from '../../core/ids.ts';
import { Semaphore } from '../../core/semaphore.ts';
import { contentRef } from '../compute/content-ref.ts';
import type { BlobRef } from '../format/blob.ts';
import { limits } from '../format/limits.ts';
import { encodeSnapshotRecord, type PbsFile, type SnapshotRecord } from '../format/snapshot.ts';
import type { Group } from '../pbs/datastore.ts';
import { clientLogFile, manifestFile } from '../pbs/layout.ts';
import { decodeManifest, sameProtectedPart } from '../pbs/manifest.ts';
import type { Snapshot } from '../pbs/snapshot.ts';
import type { CommitResult, SnapshotSummary, WriteSession } from '../repository/repository.ts';
import { storePieces } from './item-reader.ts';
import type { TargetRun } from './target-run.ts';

/** A snapshot that a target has and the source still shows. */
export interface StoredPair {
  readonly summary: SnapshotSummary;
  readonly snapshot: Snapshot;
  readonly group: Group;
}

export interface Amendment {
  readonly snapshot: SnapshotId;
  readonly record: SnapshotRecord;
  /** What the new record names and the old one did not. */
  readonly contents: readonly Uint8Array[];
}

/** Records that are read from a store at once. */
const parallel = 8;
const mendAttempts = 3;

export interface AmendEvents {
  readonly compared: () => void;
  /** The pair is left as it is. */
  readonly problem: (pair: StoredPair, error: SourceError | CorruptionError | NotFoundError) => void;
}

/**
 * Compares what a target has with what the source shows. @throws StorageError, CancelledError. A record or manifest that
 * cannot be read is told and passed over.
 */
export async function findAmendments(
  target: TargetRun,
  pairs: readonly StoredPair[],
  events: AmendEvents,
  signal: AbortSignal | undefined,
): Promise<Amendment[]> {
  const slots = new Semaphore(parallel);
  const found = await Promise.all(
    pairs.map(async (pair) => {
      const release = await slots.take(1, signal);
      try {
        return await compare(target, pair, signal);
      } catch (error) {
        if (error instanceof SourceError && error.code === 'source.changed') return undefined;
        const passable =
          error instanceof SourceError || error instanceof CorruptionError || error instanceof NotFoundError;
        if (!passable) throw error;
        events.problem(pair, error);
        return undefined;
      } finally {
        events.compared();
        release();
      }
    }),
  );
  return found.filter((amendment) => amendment !== undefined);
}

async function compare(
  target: TargetRun,
  pair: StoredPair,
  signal: AbortSignal | undefined,
): Promise<Amendment | undefined> {
  const { snapshot, group } = pair;
  const record = await target.repository.readRecord(pair.summary, signal);
  const { source } = record;
  const manifest = await snapshot.readManifest();
  const log = await snapshot.readClientLog();
  const changed = changedFiles(source.files, manifest.blob, log);
  const owner = group.owner ?? null;
  const groupNotes = group.notes ?? null;
  const same = source.owner === owner && source.groupNotes === groupNotes && source.protected === snapshot.protected;
  if (same && changed.length === 0) return undefined;
  if (changed.some(({ name }) => name === manifestFile)) {
    const stored = await readBlobFile(target, source.files, manifestFile, signal);
    if (!sameProtectedPart(decodeManifest(stored), manifest.manifest)) {
      throw new SourceError('source.corrupt', 'another snapshot has taken its place in the datastore', {
        context: { group: record.group, item: record.item },
      });
    }
  }
  const names = new Set(changed.map(({ name }) => name));
  const files = [...source.files.filter(({ name }) => !names.has(name)), ...changed.map(toFile)];
  return {
    snapshot: pair.summary.id,
    record: { ...record, source: { ...source, owner, groupNotes, protected: snapshot.protected, files } },
    contents: changed.map(({ bytes }) => bytes),
  };
}

interface ChangedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly data: readonly BlobRef[];
}

function changedFiles(files: readonly PbsFile[], manifest: Uint8Array, log: Uint8Array | undefined): ChangedFile[] {
  const now = [{ name: manifestFile, bytes: manifest }, ...(log ? [{ name: clientLogFile, bytes: log }] : [])];
  return now
    .map(({ name, bytes }) => ({ name, bytes, data: piecesOf(bytes) }))
    .filter(({ name, data }) => {
      const stored = files.find((file) => file.name === name);
      return stored?.kind !== 'blob' || !sameRefs(stored.data, data);
    });
}

/** The references that `storePieces` gives, without storing. */
function piecesOf(bytes: Uint8Array): BlobRef[] {
  const refs: BlobRef[] = [];
  for (let at = 0; at < bytes.byteLength; at += limits.plainBlobBytes) {
    refs.push(contentRef(bytes.subarray(at, at + limits.plainBlobBytes)));
  }
  return refs;
}

function sameRefs(a: readonly BlobRef[], b: readonly BlobRef[]): boolean {
  return a.length === b.length && a.every((ref, at) => equalBytes(ref.digest, b[at]?.digest ?? new Uint8Array(0)));
}

function toFile({ name, bytes, data }: ChangedFile): PbsFile {
  return { kind: 'blob', name, size: bytes.byteLength, data };
}

async function readBlobFile(
  target: TargetRun,
  files: readonly PbsFile[],
  name: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const file = files.find((each) => each.name === name);
  if (file?.kind !== 'blob') throw new CorruptionError(`a snapshot record of ${target.name} names no ${name}`);
  const pieces: Uint8Array[] = [];
  for (const ref of file.data) pieces.push(await target.repository.readContent('data', ref, signal));
  return Buffer.concat(pieces);
}

/** Writes the new records. Undefined when the target failed. */
export async function applyAmendments(
  target: TargetRun,
  amendments: readonly Amendment[],
  signal: AbortSignal | undefined,
): Promise<CommitResult | undefined> {
  return target.attempt(signal, async (session) => {
    await storeContents(session, amendments, signal);
    let result = await session.amend(amendments, signal);
    for (let attempt = 0; result.outcome === 'lost' && attempt < mendAttempts; attempt += 1) {
      await storeContents(session, amendments, signal);
      for (const { record } of amendments) await session.addBlob('snapshot', encodeSnapshotRecord(record), signal);
      result = await session.mend(
        amendments.map(({ snapshot }) => snapshot),
        signal,
      );
    }
    if (result.outcome === 'lost') {
      throw new CorruptionError(`repository ${target.name} loses packs as fast as they are stored`, {
        code: 'repository.commit',
      });
    }
    return result;
  });
}

async function storeContents(
  session: WriteSession,
  amendments: readonly Amendment[],
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const { contents } of amendments) {
    for (const content of contents) await storePieces(content, (piece) => session.addBlob('data', piece, signal));
  }
}
