import type { Clock } from '../../core/clock.ts';
import { fromHex } from '../../core/bytes.ts';
import { blobId, packId, type CheckpointId } from '../../core/ids.ts';
import { messageOf } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { Random } from '../../core/random.ts';
import { decodeCheckpoint, encodeCheckpoint, type CheckpointState } from '../format/checkpoint.ts';
import type { RepositoryKeys } from '../format/keys.ts';
import type { Storage } from '../storage/storage.ts';
import type { View } from './fold.ts';

export interface CheckpointPace {
  readonly entries: number;
  readonly ms: number;
}

/** A checkpoint is written after this many entries, or this long after the last one. */
export const checkpointEvery: CheckpointPace = { entries: 500, ms: 24 * 3_600_000 };

/** … or when so many heads lie beyond it: an entry must name them all, and has only 64 KiB. */
const mostHeadsBeyond = 128;

/** Runs silent for longer are not carried on: nobody resumes them under their own name any more. */
const forgetRunsAfterMs = 30 * 24 * 3_600_000;

export interface CheckpointParts {
  readonly storage: Storage;
  readonly keys: RepositoryKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly checkpointEvery?: CheckpointPace;
}

/**
 * Writes a checkpoint of `view` when one is due, and reads it back. A view with gaps is never folded away. A checkpoint
 * only makes opening cheaper: one that fails is told in the log, and the next run tries again. Never rejects.
 */
export async function checkpointIfDue(
  parts: CheckpointParts,
  view: View,
  signal?: AbortSignal,
): Promise<CheckpointId | undefined> {
  const { storage, keys, clock, random, logger } = parts;
  const every = parts.checkpointEvery ?? checkpointEvery;
  const age = clock.now() - view.checkpointMs;
  const many = view.beyond.length >= every.entries || view.headsBeyond.length >= mostHeadsBeyond;
  const due = many || (view.beyond.length > 0 && age >= every.ms);
  const young = view.checkpoint === null && !many;
  if (!due || young || !view.closed || view.refused.size > 0) return undefined;
  try {
    const made = encodeCheckpoint({ keys, state: stateOf(view, clock.now()), random });
    await storage.put(made.name, made.bytes, { signal });
    decodeCheckpoint(keys, made.name, await storage.get(made.name, { signal }));
    logger.info('repository.checkpoint', { entries: view.coveredEntries + view.beyond.length });
    return made.id;
  } catch (error) {
    logger.warn('repository.checkpoint-failed', { reason: messageOf(error) });
    return undefined;
  }
}

export function stateOf(view: View, timeMs: number): CheckpointState {
  const damagedPacks = [...view.damaged].filter((dead) => !dead.includes('/'));
  const damagedBlobs = [...view.damaged].filter((dead) => dead.includes('/'));
  return {
    entries: view.coveredEntries + view.beyond.length,
    extends: view.checkpoint,
    heads: view.heads,
    recent: view.recent,
    snapshots: [...view.snapshots.values()],
    segments: [...view.segments],
    progress: [...view.runs.values()].filter((run) => timeMs - run.timeMs < forgetRunsAfterMs),
    unproven: [...view.unproven],
    damaged: {
      packs: damagedPacks.map((pack) => packId(pack)),
      blobs: damagedBlobs.map((dead) => ({ pack: packId(dead.slice(0, 64)), blob: blobId(fromHex(dead.slice(65))) })),
    },
    features: view.features,
    grants: [...view.maintainers].map((writer) => ({ writer, role: 'maintain' as const })),
    timeMs,
  };
}
