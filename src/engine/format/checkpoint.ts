/** Checkpoints: the folded journal as one object (repository format, section 8). */
import { DecodeError } from '../../core/binary.ts';
import { concatBytes } from '../../core/bytes.ts';
import { CorruptionError, decoding } from '../../core/errors.ts';
import {
  checkpointId,
  type CheckpointId,
  type PackId,
  type RunId,
  type SegmentId,
  type SnapshotId,
  type WriterId,
} from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import { open, seal } from '../crypto/sealed-box.ts';
import { sha256Hex } from '../crypto/sha256.ts';
import { canonicalJson, integer, list, nullable, parseJson, record, type Shape } from './json.ts';
import type { PackKeys } from './sealing.ts';
import { limits } from './limits.ts';
import { checkpointName, parseObjectName } from './names.ts';
import { associatedData, decodeEnvelope, decodeHeader, encodeEnvelope, encodeHeader, headerBytes } from './object.ts';
import {
  checkpointIds,
  damagedBlobs,
  featureFields,
  grants,
  heads,
  listingFields,
  longestList,
  packIds,
  runIds,
  segmentIds,
  snapshotIds,
  times,
  writerIds,
  type DamagedBlob,
  type Features,
  type Grant,
  type JournalHead,
  type SnapshotListing,
} from './shapes.ts';

/** A committed snapshot with what the journal adds to its listing. */
export interface CheckpointSnapshot extends SnapshotListing {
  readonly run: RunId;
  /** Whose entry committed it. */
  readonly writer: WriterId;
  /** Time of that entry. */
  readonly committedMs: number;
  /** Time of the entry whose record counts now: the same, or that of the latest amend entry. */
  readonly recordedMs: number;
}

/** A run that wrote progress and no snapshot, amend or mend entry since. */
export interface OpenRun {
  readonly run: RunId;
  readonly writer: WriterId;
  readonly timeMs: number;
  readonly segments: readonly SegmentId[];
}

/** What folding all entries up to `heads` gives. Lists have no meaning in their order; encoding sorts nothing. */
export interface CheckpointState {
  /** Number of journal entries that it covers. */
  readonly entries: number;
  /** The checkpoint that this one dominates. */
  readonly extends: CheckpointId | null;
  /** The last entry of every writer; two of one writer when it forked. */
  readonly heads: readonly JournalHead[];
  /** The covered entries among the last 64 sequence numbers of every writer: what tells a fork that arrives late. */
  readonly recent: readonly JournalHead[];
  readonly snapshots: readonly CheckpointSnapshot[];
  /** All live index segments, those of open runs too. */
  readonly segments: readonly SegmentId[];
  readonly progress: readonly OpenRun[];
  /** Snapshots that may rely on something declared damaged since they were committed or last mended. */
  readonly unproven: readonly SnapshotId[];
  readonly damaged: { readonly packs: readonly PackId[]; readonly blobs: readonly DamagedBlob[] };
  readonly features: Features;
  readonly grants: readonly Grant[];
  readonly timeMs: number;
}

const states: Shape<CheckpointState> = record({
  entries: integer(0),
  extends: nullable(checkpointIds),
  heads: list(heads, longestList),
  recent: list(heads, longestList),
  snapshots: list(
    record<CheckpointSnapshot>({
      ...listingFields,
      run: runIds,
      writer: writerIds,
      committedMs: times,
      recordedMs: times,
    }),
    longestList,
  ),
  segments: list(segmentIds, longestList),
  progress: list(
    record<OpenRun>({ run: runIds, writer: writerIds, timeMs: times, segments: list(segmentIds, longestList) }),
    longestList,
  ),
  unproven: list(snapshotIds, longestList),
  damaged: record({ packs: list(packIds, longestList), blobs: list(damagedBlobs, longestList) }),
  features: record<Features>(featureFields),
  grants: list(grants, longestList),
  timeMs: times,
});

export interface EncodedCheckpoint {
  readonly id: CheckpointId;
  /** Of the object. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** @throws RangeError when it would be longer than 256 MiB. */
export function encodeCheckpoint(input: {
  readonly keys: PackKeys;
  readonly state: CheckpointState;
  readonly random: Random;
}): EncodedCheckpoint {
  const { keys, state, random } = input;
  const content = canonicalJson(states.encode(state));
  if (content.byteLength > limits.checkpointBytes) throw new RangeError('a checkpoint would be too long');
  const epoch = keys.newestEpoch;
  const ad = associatedData(keys.repositoryId, 'checkpoint', epoch);
  const box = seal(keys.sealingKey('checkpoint', epoch), ad, encodeEnvelope(content, 'auto'), random.bytes(32));
  const bytes = concatBytes(encodeHeader('checkpoint', { roles: 0, epoch }), box);
  const id = checkpointId(sha256Hex(bytes));
  return { id, name: checkpointName(state.entries, id), bytes };
}

/**
 * @param name of the object.
 * @throws CorruptionError: `repository.corrupt` when the bytes do not match the name, `repository.foreign` when they do
 * but it is not a checkpoint of this repository.
 */
export function decodeCheckpoint(keys: PackKeys, name: string, bytes: Uint8Array): CheckpointState {
  const parsed = parseObjectName(name);
  if (parsed?.type !== 'checkpoint' || sha256Hex(bytes) !== parsed.id) {
    throw new CorruptionError(`the checkpoint ${name} is damaged: its bytes do not match its name`);
  }
  try {
    return decoding('a checkpoint', () => decodeSealed(keys, parsed.entries, bytes));
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    throw new CorruptionError(`the checkpoint ${name} was not made by this repository`, {
      cause: error,
      code: 'repository.foreign',
    });
  }
}

function decodeSealed(keys: PackKeys, entries: number, bytes: Uint8Array): CheckpointState {
  if (bytes.byteLength > limits.checkpointBytes) throw new DecodeError('it is longer than checkpoints may be');
  const { roles, epoch } = decodeHeader('checkpoint', bytes);
  if (roles !== 0) throw new DecodeError('its role mask is not 0');
  const ad = associatedData(keys.repositoryId, 'checkpoint', epoch);
  const envelope = open(keys.sealingKey('checkpoint', epoch), ad, bytes.subarray(headerBytes));
  const content = decodeEnvelope(envelope, limits.checkpointBytes);
  const state = states.decode(parseJson(content, limits.checkpointBytes), 'checkpoint');
  if (state.entries !== entries) throw new DecodeError('it covers another number of entries than its name says');
  return state;
}
