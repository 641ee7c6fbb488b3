import { messageOf } from '../../core/errors.ts';
import type { PackId, RunId, SegmentId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import { encodeIndexSegment, type IndexedPack } from '../format/index-segment.ts';
import { packName, parseObjectName, segmentName } from '../format/names.ts';
import type { OpenRepository } from '../repository/open-repository.ts';
import { limits } from '../format/limits.ts';
import { provePack } from '../compute/prove-pack.ts';
import { isLoss } from '../repository/loss.ts';

export interface RebuildReport {
  /** Packs that a readable segment lists already. */
  readonly listed: number;
  /** Packs taken up, all of whose blobs opened. */
  readonly added: number;
  readonly addedBlobs: number;
  /** Packs left out, with the reason. */
  readonly refused: readonly { readonly pack: PackId; readonly reason: string }[];
}

export interface RebuildOptions {
  readonly run: RunId;
  readonly random: Random;
  readonly progress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Packs in one new segment: keeps a segment far below its limit. */
const packsPerSegment = 512;

/**
 * Takes up packs that no readable segment lists. Each is read whole and every blob opened before it counts
 * (anybody who can write to the store can make a pack whose directory opens), then a new segment and a progress entry
 * name them. Nothing is removed.
 */
export async function rebuildIndex(repository: OpenRepository, options: RebuildOptions): Promise<RebuildReport> {
  const { signal } = options;
  const listed = await listedPacks(repository, signal);
  const unlisted: PackId[] = [];
  for await (const { name, sizeBytes } of repository.storage.list('packs/', { signal })) {
    const object = parseObjectName(name);
    if (object?.type === 'pack' && !listed.has(object.id) && sizeBytes <= limits.packBytes) unlisted.push(object.id);
  }
  const refused: { pack: PackId; reason: string }[] = [];
  let batch: IndexedPack[] = [];
  let added = 0;
  let addedBlobs = 0;
  const writeBatch = async (): Promise<void> => {
    if (batch.length === 0) return;
    await writeSegment(repository, batch, options);
    added += batch.length;
    addedBlobs += batch.reduce((sum, pack) => sum + pack.entries.length, 0);
    batch = [];
  };
  for (const [index, pack] of unlisted.entries()) {
    options.progress?.(index, unlisted.length);
    const proven = await readAndProve(repository, pack, signal);
    if ('reason' in proven) refused.push({ pack, reason: proven.reason });
    else batch.push(proven);
    if (batch.length >= packsPerSegment) await writeBatch();
  }
  await writeBatch();
  return { listed: listed.size, added, addedBlobs, refused };
}

async function listedPacks(repository: OpenRepository, signal: AbortSignal | undefined): Promise<Set<PackId>> {
  const listed = new Set<PackId>();
  for (const segment of repository.view.segments) {
    try {
      for (const pack of await repository.readSegment(segment, signal)) listed.add(pack.id);
    } catch (error) {
      if (!isLoss(error)) throw error;
    }
  }
  return listed;
}

async function readAndProve(
  repository: OpenRepository,
  pack: PackId,
  signal: AbortSignal | undefined,
): Promise<IndexedPack | { readonly reason: string }> {
  try {
    const bytes = await repository.storage.get(packName(pack), { signal });
    const proof = provePack(repository.keys, pack, bytes);
    if (proof.verdict !== 'opened') return { reason: proof.reason };
    const [bad] = proof.bad;
    if (bad) return { reason: `${String(proof.bad.length)} blobs do not open; the first: ${bad.reason}` };
    return { id: pack, sizeBytes: bytes.byteLength, epoch: proof.epoch, entries: proof.entries };
  } catch (error) {
    if (!isLoss(error)) throw error;
    return { reason: messageOf(error) };
  }
}

async function writeSegment(
  repository: OpenRepository,
  packs: readonly IndexedPack[],
  { run, random, signal }: RebuildOptions,
): Promise<void> {
  const segment = encodeIndexSegment(repository.keys, packs, random);
  const name = segmentName(segment.id);
  await repository.storage.put(name, segment.bytes, { signal });
  await repository.storage.barrier([name, ...packs.map((pack) => packName(pack.id))], { signal });
  const segments: readonly SegmentId[] = [segment.id];
  await repository.append({ kind: 'progress', run, segments }, signal);
}
