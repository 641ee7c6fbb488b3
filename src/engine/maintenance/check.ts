import type { Clock } from '../../core/clock.ts';
import { toHex } from '../../core/bytes.ts';
import { CancelledError } from '../../core/errors.ts';
import { runId, type PackId, type SnapshotId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import type { DamagedBlob } from '../format/shapes.ts';
import { deadBlob } from '../repository/blob-table.ts';
import type { OpenRepository } from '../repository/open-repository.ts';
import type { HistoryWarning } from '../repository/repository.ts';
import { checkPackData } from './check-packs.ts';
import { checkSnapshots } from './check-snapshots.ts';
import type { CheckProblem } from './report.ts';
import { readStructure } from './structure.ts';

/**
 * `structure`: the journal, every index segment, a complete listing of packs, and that every blob of every snapshot lies
 * in a pack that is there. `data`: besides, every byte of the packs, or of a random share of them, is read and proven.
 */
export type CheckMode = { readonly type: 'structure' } | { readonly type: 'data'; readonly share: number };

export interface CheckReport {
  readonly snapshots: number;
  readonly packs: number;
  readonly blobs: number;
  /** Packs whose every byte was read and proven. */
  readonly provenPacks: number;
  readonly readBytes: number;
  /** Packs in the store that no segment lists: left by interrupted runs, or lost by a lost segment. */
  readonly unlistedPacks: number;
  readonly problems: readonly CheckProblem[];
  /** Snapshots that cannot be restored completely. */
  readonly incomplete: readonly SnapshotId[];
  /** Snapshots that were in doubt and were found whole: a mend entry says so. */
  readonly settled: readonly SnapshotId[];
  /** A damaged entry was written: the next backup stores these blobs again. */
  readonly marked: { readonly packs: readonly PackId[]; readonly blobs: readonly DamagedBlob[] };
}

export interface CheckOptions {
  readonly mode: CheckMode;
  /** Damage that was found is written to the journal, so that the next backup stores again what it hit. */
  readonly markDamaged: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly progress?: (phase: 'structure' | 'snapshots' | 'data', done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Reads only, but for the damaged entry. @throws StorageError when the store fails; CancelledError. */
export async function checkRepository(repository: OpenRepository, options: CheckOptions): Promise<CheckReport> {
  const { mode, signal } = options;
  const tell = options.progress ?? (() => undefined);
  await repository.refresh(signal);
  tell('structure', 0, 1);
  const structure = await readStructure(repository, signal);
  tell('snapshots', 0, repository.snapshots().length);
  const snapshots = await checkSnapshots(
    repository,
    structure,
    (done, total) => {
      tell('snapshots', done, total);
      if (signal?.aborted === true) throw new CancelledError();
    },
    signal,
  );
  const share = mode.type === 'data' ? mode.share : 0;
  const data = await checkPackData(repository, structure, {
    share,
    isPlain: (id) => snapshots.plain.find(id) >= 0,
    random: options.random,
    progress: (done, total) => {
      tell('data', done, total);
    },
    signal,
  });
  const damaged = { packs: [...structure.lostPacks, ...data.damagedPacks], blobs: data.damagedBlobs };
  const marked = options.markDamaged ? await mark(repository, damaged, signal) : { packs: [], blobs: [] };
  const settled =
    options.markDamaged && marked.packs.length + marked.blobs.length === 0
      ? await settle(repository, new Set(snapshots.incomplete), options)
      : [];
  return {
    snapshots: repository.snapshots().length,
    packs: structure.packs.size,
    blobs: structure.blobs,
    provenPacks: data.proven,
    readBytes: data.readBytes,
    unlistedPacks: structure.unlisted,
    problems: [
      ...repository.warnings.flatMap(historyProblem),
      ...structure.problems,
      ...snapshots.problems,
      ...data.problems,
    ],
    incomplete: snapshots.incomplete,
    settled,
    marked,
  };
}

/** What damage had put in doubt and everything was found of. Nothing is settled by a check that marked damage itself. */
async function settle(
  repository: OpenRepository,
  incomplete: ReadonlySet<SnapshotId>,
  { random, signal }: CheckOptions,
): Promise<readonly SnapshotId[]> {
  const whole = [...repository.unproven()].filter((id) => !incomplete.has(id));
  const run = runId(toHex(random.bytes(16)));
  for (let at = 0; at < whole.length; at += namesPerEntry) {
    const snapshots = whole.slice(at, at + namesPerEntry);
    await repository.append({ kind: 'mend', run, snapshots, segments: [] }, signal);
  }
  return whole;
}

/** Entries hold at most 64 KiB. */
const namesPerEntry = 256;

async function mark(
  repository: OpenRepository,
  damaged: CheckReport['marked'],
  signal: AbortSignal | undefined,
): Promise<CheckReport['marked']> {
  const known = repository.view.damaged;
  const packs = damaged.packs.filter((pack) => !known.has(pack));
  const blobs = damaged.blobs.filter(({ pack, blob }) => !known.has(pack) && !known.has(deadBlob(pack, blob)));
  for (let at = 0; at < Math.max(packs.length, blobs.length); at += namesPerEntry) {
    const end = at + namesPerEntry;
    await repository.append({ kind: 'damaged', packs: packs.slice(at, end), blobs: blobs.slice(at, end) }, signal);
  }
  return { packs, blobs };
}

function historyProblem(warning: HistoryWarning): CheckProblem[] {
  switch (warning.kind) {
    case 'rollback': {
      const { remembered, found } = warning;
      const detail = `this machine remembers entry ${String(remembered)} of this writer, the store shows ${String(found)}: the store went back or hides entries`;
      return [{ kind: 'history', subject: warning.writer, detail }];
    }
    case 'gap':
      return [{ kind: 'history', subject: warning.writer, detail: `entry ${String(warning.sequence)} is missing` }];
    case 'damaged':
    case 'foreign':
      return [{ kind: 'history', subject: warning.object, detail: `${warning.kind}: ${warning.reason}` }];
    // A fork is no loss (both entries count), ignored entries are told at opening, missing packs by the structure.
    case 'fork':
    case 'ignored':
    case 'missing-pack':
      return [];
  }
}
