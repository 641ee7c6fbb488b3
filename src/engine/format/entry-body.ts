/** The bodies of journal entries: kinds, roles and fields (repository format, section 7). */
import { DecodeError } from '../../core/binary.ts';
import type { CheckpointId, PackId, RepositoryId, RunId, SegmentId, SnapshotId } from '../../core/ids.ts';
import type { BlobRef } from './blob.ts';
import {
  canonicalJson,
  isObject,
  list,
  mapped,
  nullable,
  oneOf,
  parseJson,
  record,
  tagged,
  tuple,
  type Shape,
} from './json.ts';
import { limits } from './limits.ts';
import {
  checkpointIds,
  damagedBlobs,
  featureFields,
  grants,
  heads,
  listingFields,
  longestList,
  packIds,
  refs,
  repositoryIds,
  runIds,
  segmentIds,
  snapshotIds,
  times,
  type DamagedBlob,
  type Features,
  type Grant,
  type JournalHead,
  type SnapshotListing,
} from './shapes.ts';

/** What somebody does with a repository, and therefore has to understand. */
export type Role = 'read' | 'write' | 'maintain';

/** What the writer had seen when it wrote: a checkpoint, and the heads beyond it. */
export interface EntryBase {
  readonly checkpoint: CheckpointId | null;
  readonly heads: readonly JournalHead[];
}

/** Heads of another repository of the family, as this writer saw them. */
export interface SiblingHeads {
  readonly repository: RepositoryId;
  readonly heads: readonly JournalHead[];
}

interface Common {
  /** The writer's clock, in milliseconds since 1970. */
  readonly timeMs: number;
  readonly base: EntryBase;
  readonly siblings: readonly SiblingHeads[];
}

export interface SnapshotBody extends Common {
  readonly kind: 'snapshot';
  readonly run: RunId;
  readonly snapshots: readonly SnapshotListing[];
  /** New index segments. */
  readonly segments: readonly SegmentId[];
}

export interface AmendBody extends Common {
  readonly kind: 'amend';
  readonly run: RunId;
  readonly changes: readonly { readonly id: SnapshotId; readonly record: BlobRef }[];
  readonly segments: readonly SegmentId[];
}

export interface ProgressBody extends Common {
  readonly kind: 'progress';
  readonly run: RunId;
  readonly segments: readonly SegmentId[];
}

export interface MendBody extends Common {
  readonly kind: 'mend';
  readonly run: RunId;
  readonly snapshots: readonly SnapshotId[];
  readonly segments: readonly SegmentId[];
}

export interface DamagedBody extends Common {
  readonly kind: 'damaged';
  readonly packs: readonly PackId[];
  readonly blobs: readonly DamagedBlob[];
}

export interface FeaturesBody extends Common, Features {
  readonly kind: 'features';
}

export interface RolesBody extends Common {
  readonly kind: 'roles';
  readonly grants: readonly Grant[];
  readonly revokes: readonly Grant[];
}

export type KnownBody = SnapshotBody | AmendBody | ProgressBody | MendBody | DamagedBody | FeaturesBody | RolesBody;

/** Authentic, but of a kind or with fields that this program does not know. */
export interface UnknownBody {
  readonly kind: 'unknown';
  /** The kind that it names, if it does. */
  readonly name: string | undefined;
  /** What was not understood. */
  readonly reason: string;
  /** The base, when at least that is well-formed: it still orders the journal. */
  readonly base: EntryBase | undefined;
}

export type EntryBody = KnownBody | UnknownBody;

const everybody: readonly Role[] = ['read', 'write', 'maintain'];

const rolesByKind: Readonly<Record<KnownBody['kind'], readonly Role[]>> = {
  snapshot: everybody,
  amend: ['read', 'maintain'],
  progress: ['write', 'maintain'],
  mend: ['read', 'maintain'],
  damaged: everybody,
  features: everybody,
  roles: ['maintain'],
};

const bases: Shape<EntryBase> = record({ checkpoint: nullable(checkpointIds), heads: list(heads, longestList) });

const siblings: Shape<SiblingHeads> = mapped<readonly [RepositoryId, readonly JournalHead[]], SiblingHeads>(
  tuple(repositoryIds, list(heads, longestList)),
  ([repository, all]) => ({ repository, heads: all }),
  (sibling) => [sibling.repository, sibling.heads],
);

const common = { timeMs: times, base: bases, siblings: list(siblings, 256) };
const segments = list(segmentIds, longestList);

const bodies = tagged<'kind', KnownBody>('kind', {
  snapshot: record<SnapshotBody>({
    ...common,
    kind: oneOf('snapshot'),
    run: runIds,
    snapshots: list(record<SnapshotListing>(listingFields), longestList),
    segments,
  }),
  amend: record<AmendBody>({
    ...common,
    kind: oneOf('amend'),
    run: runIds,
    changes: list(record({ id: snapshotIds, record: refs }), longestList),
    segments,
  }),
  progress: record<ProgressBody>({ ...common, kind: oneOf('progress'), run: runIds, segments }),
  mend: record<MendBody>({
    ...common,
    kind: oneOf('mend'),
    run: runIds,
    snapshots: list(snapshotIds, longestList),
    segments,
  }),
  damaged: record<DamagedBody>({
    ...common,
    kind: oneOf('damaged'),
    packs: list(packIds, longestList),
    blobs: list(damagedBlobs, longestList),
  }),
  features: record<FeaturesBody>({ ...common, ...featureFields, kind: oneOf('features') }),
  roles: record<RolesBody>({
    ...common,
    kind: oneOf('roles'),
    grants: list(grants, longestList),
    revokes: list(grants, longestList),
  }),
});

export function encodeBody(body: KnownBody): { readonly content: Uint8Array; readonly roles: readonly Role[] } {
  return { content: canonicalJson(bodies.encode(body)), roles: rolesByKind[body.kind] };
}

/** @param roles as the header of the entry says. Never throws for an authentic content: it may be from a newer program. */
export function understandBody(content: Uint8Array, roles: readonly Role[]): EntryBody {
  let value: unknown;
  try {
    value = parseJson(content, limits.entryObjectBytes);
    const body = bodies.decode(value, 'body');
    const known = rolesByKind[body.kind];
    if (known.length !== roles.length || !known.every((role) => roles.includes(role))) {
      throw new DecodeError(`an entry of kind ${body.kind} with other roles than this program knows`);
    }
    return body;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { kind: 'unknown', name: nameOf(value), reason: error.message, base: baseOf(value) };
  }
}

function nameOf(value: unknown): string | undefined {
  return isObject(value) && typeof value['kind'] === 'string' ? value['kind'].slice(0, 64) : undefined;
}

function baseOf(value: unknown): EntryBase | undefined {
  try {
    return isObject(value) ? bases.decode(value['base'], 'base') : undefined;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}
