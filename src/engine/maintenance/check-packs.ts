import { CancelledError, messageOf } from '../../core/errors.ts';
import type { BlobId, PackId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import { packName } from '../format/names.ts';
import type { DamagedBlob } from '../format/shapes.ts';
import { isLoss } from '../repository/loss.ts';
import type { OpenRepository } from '../repository/open-repository.ts';
import type { CheckProblem } from './report.ts';
import { provePack } from '../compute/prove-pack.ts';
import type { Structure } from './structure.ts';

export interface DataCheckOptions {
  /** Of the packs, 0 to 1, chosen at random. */
  readonly share: number;
  readonly isPlain: (id: BlobId) => boolean;
  readonly random: Random;
  readonly progress: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface DataCheck {
  readonly proven: number;
  readonly readBytes: number;
  readonly problems: readonly CheckProblem[];
  readonly damagedPacks: readonly PackId[];
  readonly damagedBlobs: readonly DamagedBlob[];
}

/** Packs that are read ahead while one is proven; with it, three are in memory at most. */
const readAhead = 2;

/** Reads packs whole and proves them. @throws StorageError when the store fails; a lost object is a finding. */
export async function checkPackData(
  repository: OpenRepository,
  structure: Structure,
  options: DataCheckOptions,
): Promise<DataCheck> {
  const chosen = chooseShare([...structure.packs.keys()], options.share, options.random);
  const problems: CheckProblem[] = [];
  const damagedPacks: PackId[] = [];
  const damagedBlobs: DamagedBlob[] = [];
  let proven = 0;
  let readBytes = 0;
  let done = 0;
  for await (const { pack, bytes, loss } of readPacks(repository, chosen, options.signal)) {
    options.progress((done += 1), chosen.length);
    readBytes += bytes?.byteLength ?? 0;
    const proof = bytes
      ? provePack(repository.keys, pack, bytes, options.isPlain)
      : ({ verdict: 'damaged', reason: loss } as const);
    if (proof.verdict !== 'opened') {
      damagedPacks.push(pack);
      problems.push({ kind: 'pack', subject: packName(pack), detail: proof.reason });
      continue;
    }
    if (proof.bad.length === 0) proven += 1;
    for (const { entry, reason } of proof.bad) {
      damagedBlobs.push({ pack, blob: entry.id });
      problems.push({
        kind: 'blob',
        subject: packName(pack),
        detail: `${entry.kind} at ${String(entry.offset)}: ${reason}`,
      });
    }
  }
  return { proven, readBytes, problems, damagedPacks, damagedBlobs };
}

interface ReadPack {
  readonly pack: PackId;
  readonly bytes: Uint8Array | undefined;
  readonly loss: string;
}

async function* readPacks(
  repository: OpenRepository,
  packs: readonly PackId[],
  signal: AbortSignal | undefined,
): AsyncGenerator<ReadPack> {
  const read = async (pack: PackId): Promise<ReadPack> => {
    try {
      return { pack, bytes: await repository.storage.get(packName(pack), { signal }), loss: '' };
    } catch (error) {
      if (!isLoss(error)) throw error;
      return { pack, bytes: undefined, loss: messageOf(error) };
    }
  };
  const underWay: Promise<ReadPack>[] = [];
  let next = 0;
  try {
    for (;;) {
      if (signal?.aborted === true) throw new CancelledError();
      for (let pack = packs[next]; pack !== undefined && underWay.length <= readAhead; pack = packs[next]) {
        underWay.push(read(pack));
        next += 1;
      }
      const first = underWay.shift();
      if (!first) return;
      yield await first;
    }
  } finally {
    await Promise.allSettled(underWay);
  }
}

/** A random choice of `share` of the packs, at least one unless the share is 0. */
export function chooseShare(packs: readonly PackId[], share: number, random: Random): readonly PackId[] {
  const wanted = share <= 0 ? 0 : Math.min(packs.length, Math.ceil(packs.length * share));
  const shuffled = [...packs];
  for (let index = 0; index < wanted; index += 1) {
    const other = index + random.below(shuffled.length - index);
    const [a, b] = [shuffled[index], shuffled[other]];
    if (a !== undefined && b !== undefined) [shuffled[index], shuffled[other]] = [b, a];
  }
  return shuffled.slice(0, wanted);
}
