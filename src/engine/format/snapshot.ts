/** Snapshot records: what a snapshot is made of (repository format, section 10). */
import { DecodeError } from '../../core/binary.ts';
import { equalBytes, toHex } from '../../core/bytes.ts';
import { decoding, NesteggError } from '../../core/errors.ts';
import { snapshotId, type Digest, type RunId, type SnapshotId } from '../../core/ids.ts';
import type { BlobRef } from './blob.ts';
import {
  canonicalJson,
  checked,
  flag,
  hexBytes,
  integer,
  isObject,
  list,
  nullable,
  oneOf,
  parseJson,
  record,
  tagged,
  text,
  type Shape,
} from './json.ts';
import { limits } from './limits.ts';
import { assuranceExtraBytes, type Assurance } from './pbs-chunk-id.ts';
import { longestList, names, refs, runIds, times, type SnapshotListing } from './shapes.ts';

/** A PBS file that is not an index: manifest, configuration, log. Byte for byte, cut into pieces. */
export interface PbsBlobFile {
  readonly kind: 'blob';
  readonly name: string;
  readonly size: number;
  readonly data: readonly BlobRef[];
}

interface PbsIndex {
  readonly name: string;
  /** The first 4,096 bytes of the file without the zeros at their end. */
  readonly header: Uint8Array;
  /** Bytes of the image or stream. */
  readonly size: number;
  readonly chunks: number;
  readonly list: BlobRef;
  readonly assurance: Assurance;
  /** `assuranceExtraBytes(assurance)` bytes. */
  readonly extra: Uint8Array;
}

/** A `.fidx`; the file is rebuilt from its header and the list of its chunks. */
export interface PbsFixedFile extends PbsIndex {
  readonly kind: 'fixed';
  readonly chunkSize: number;
}

/** A `.didx`, likewise. */
export interface PbsDynamicFile extends PbsIndex {
  readonly kind: 'dynamic';
}

export type PbsFile = PbsBlobFile | PbsFixedFile | PbsDynamicFile;

/** A chunk that was left out on purpose, because it could not be read. */
export interface Hole {
  /** Name of the index. */
  readonly file: string;
  /** Number of the chunk in it, from 0. */
  readonly index: number;
  /** Of its first byte in the content. */
  readonly position: number;
  readonly length: number;
  /** PBS digest, 32 bytes. */
  readonly digest: Uint8Array;
  readonly reason: string;
}

export interface PbsSource {
  readonly type: 'pbs';
  /** Of the source, 16 bytes. */
  readonly identity: Uint8Array;
  readonly datastore: string;
  /** `a/b`; empty for the root. */
  readonly namespace: string;
  readonly backupType: 'vm' | 'ct' | 'host';
  readonly backupId: string;
  /** Seconds since 1970. */
  readonly backupTime: number;
  readonly owner: string | null;
  readonly groupNotes: string | null;
  readonly protected: boolean;
  readonly files: readonly PbsFile[];
  readonly holes: readonly Hole[];
}

export type SnapshotSource = PbsSource;

export interface SnapshotRecord {
  readonly format: 1;
  readonly run: RunId;
  readonly backup: string;
  readonly device: string;
  readonly group: string;
  readonly item: string;
  readonly timeMs: number;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly source: SnapshotSource;
}

const longText = text(1024 * 1024);
const sizes = integer(0);

/** A name that can not leave the directory that it is in. */
const fileNames = checked(names, (name) =>
  name === '' || name === '.' || name === '..' || /[/\0]/.test(name) ? 'is not the name of a file' : undefined,
);

const blobFiles: Shape<PbsBlobFile> = checked(
  record<PbsBlobFile>({ kind: oneOf('blob'), name: fileNames, size: sizes, data: list(refs, longestList) }),
  (file) =>
    file.data.reduce((sum, ref) => sum + ref.length, 0) === file.size ? undefined : 'has pieces of another total size',
);

const indexFields = {
  name: fileNames,
  header: checked(hexBytes(0, 4096), (header) => (header.at(-1) === 0 ? 'ends with zeros' : undefined)),
  size: sizes,
  chunks: integer(0, 2 ** 40),
  list: refs,
  assurance: oneOf<Assurance>('plain', 'keyed', 'unverified'),
  extra: hexBytes(0, 32),
};

function wrongExtra(file: PbsIndex): string | undefined {
  return file.extra.byteLength === assuranceExtraBytes(file.assurance) ? undefined : 'has the wrong extra';
}

const fixedFiles: Shape<PbsFixedFile> = checked(
  record<PbsFixedFile>({ ...indexFields, kind: oneOf('fixed'), chunkSize: integer(1, 2 ** 32 - 1) }),
  (file) =>
    file.chunks === Math.ceil(file.size / file.chunkSize) ? wrongExtra(file) : 'has the wrong number of chunks',
);

const dynamicFiles: Shape<PbsDynamicFile> = checked(
  record<PbsDynamicFile>({ ...indexFields, kind: oneOf('dynamic') }),
  wrongExtra,
);

const files = tagged<'kind', PbsFile>('kind', { blob: blobFiles, fixed: fixedFiles, dynamic: dynamicFiles });

const holes: Shape<Hole> = record({
  file: fileNames,
  index: integer(0, 2 ** 40),
  position: sizes,
  length: sizes,
  digest: hexBytes(32),
  reason: names,
});

const sources = tagged<'type', SnapshotSource>('type', {
  pbs: record<PbsSource>({
    type: oneOf('pbs'),
    identity: hexBytes(16),
    datastore: names,
    namespace: names,
    backupType: oneOf('vm', 'ct', 'host'),
    backupId: names,
    backupTime: integer(0),
    owner: nullable(names),
    groupNotes: nullable(longText),
    protected: flag,
    files: list(files, 65_536),
    holes: list(holes, longestList),
  }),
});

const records: Shape<SnapshotRecord> = record({
  format: oneOf(1),
  run: runIds,
  backup: names,
  device: names,
  group: names,
  item: names,
  timeMs: times,
  startedMs: times,
  endedMs: times,
  source: sources,
});

/** Canonical: equal records give equal bytes. @throws RangeError for a record that the format does not allow. */
export function encodeSnapshotRecord(value: SnapshotRecord): Uint8Array {
  const content = canonicalJson(records.encode(value));
  try {
    records.decode(parseJson(content, limits.plainBlobBytes), 'snapshot record');
  } catch (error) {
    throw new RangeError('this snapshot record cannot be stored', { cause: error });
  }
  return content;
}

/**
 * @throws CorruptionError for anything but the canonical form; NesteggError `repository.feature` for a record of a
 * newer format or of a source that this program does not know.
 */
export function decodeSnapshotRecord(content: Uint8Array): SnapshotRecord {
  return decoding('a snapshot record', () => {
    const value = parseJson(content, limits.plainBlobBytes);
    refuseNewer(value);
    const decoded = records.decode(value, 'snapshot record');
    if (!equalBytes(canonicalJson(records.encode(decoded)), content)) throw new DecodeError('it is not canonical');
    return decoded;
  });
}

/** The id of a snapshot, from the digest of its first record. */
export function snapshotIdOf(firstRecord: Digest): SnapshotId {
  return snapshotId(toHex(firstRecord).slice(0, 32));
}

/** What the journal tells of a snapshot whose record is stored as `ref`. */
export function listingOf(record: SnapshotRecord, ref: BlobRef): SnapshotListing {
  return {
    id: snapshotIdOf(ref.digest),
    record: ref,
    backup: record.backup,
    group: record.group,
    item: record.item,
    timeMs: record.timeMs,
    sizeBytes: record.source.files.reduce((sum, file) => sum + file.size, 0),
    damaged: record.source.holes.length > 0,
  };
}

function refuseNewer(value: unknown): void {
  if (!isObject(value) || !Number.isInteger(value['format']) || !isObject(value['source'])) return;
  const type = value['source']['type'];
  if (value['format'] === 1 && (typeof type !== 'string' || type === 'pbs')) return;
  throw new NesteggError(
    'repository.feature',
    `a snapshot record has format ${String(value['format'])} and a source of type ${JSON.stringify(type)}`,
    {
      hint: 'Use a newer version of Nestegg for this snapshot.',
    },
  );
}
