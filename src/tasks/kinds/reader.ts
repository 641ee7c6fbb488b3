/** Answers questions about one repository: for reader processes, and for the command line with `--direct`. */
import { systemClock } from '../../core/clock.ts';
import { NotFoundError, UsageError } from '../../core/errors.ts';
import type { SnapshotId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import { systemRandom } from '../../core/random.ts';
import type { OpenRepository, SnapshotRecord, SnapshotSummary } from '../../engine/index.ts';
import type { RepositoryAssignment } from './assignment.ts';
import { openAssigned } from './open.ts';
import type { RepositoryReader, SnapshotFileRow, SnapshotRecordRow, SnapshotRow } from './read-repository.ts';

export function openReader(
  assignment: RepositoryAssignment,
  stateDirectory: string | undefined,
  log: Logger,
): RepositoryReader {
  return new Reader(assignment, stateDirectory, log);
}

class Reader implements RepositoryReader {
  readonly #open: () => Promise<OpenRepository>;
  #repository: OpenRepository | undefined;

  constructor(assignment: RepositoryAssignment, stateDirectory: string | undefined, log: Logger) {
    const kept = stateDirectory === undefined ? {} : { stateDirectory };
    const around = { clock: systemClock, random: systemRandom, log, ...kept };
    this.#open = () => openAssigned({ ...assignment, readOnly: true }, around, undefined);
  }

  async snapshots(): Promise<readonly SnapshotRow[]> {
    const { repository, offsite } = await this.#look();
    return [...repository.snapshots()].sort((a, b) => b.timeMs - a.timeMs).map((one) => row(one, offsite));
  }

  async snapshot(id: string): Promise<SnapshotRecordRow> {
    const { repository, offsite } = await this.#look();
    const summary = oneByPrefix(repository.snapshots(), id);
    return { ...row(summary, offsite), ...details(await repository.readRecord(summary)) };
  }

  async close(): Promise<void> {
    await this.#repository?.close();
    this.#repository = undefined;
  }

  /** What is there now: opening reads the journal, and so does every later look. */
  async #look() {
    try {
      if (this.#repository === undefined) this.#repository = await this.#open();
      else await this.#repository.refresh();
      return { repository: this.#repository, offsite: await this.#repository.offsiteTimes() };
    } catch (error) {
      await this.close();
      throw error;
    }
  }
}

/** @throws NotFoundError; UsageError `ambiguous` */
export function oneByPrefix(all: readonly SnapshotSummary[], prefix: string): SnapshotSummary {
  const found = all.filter(({ id }) => id.startsWith(prefix));
  const [first, second] = found;
  if (first === undefined) throw new NotFoundError(`there is no snapshot ${prefix}`);
  if (second !== undefined) {
    const hint = `They are ${found
      .slice(0, 5)
      .map(({ id }) => id)
      .join(', ')}.`;
    throw new UsageError(`${prefix} fits ${String(found.length)} snapshots`, { code: 'ambiguous', hint });
  }
  return first;
}

function row(summary: SnapshotSummary, offsite: ReadonlyMap<SnapshotId, number>): SnapshotRow {
  const { id, backup, group, item, timeMs, sizeBytes, damaged, committedMs } = summary;
  const offsiteMs = offsite.get(id);
  return {
    id,
    backup,
    group,
    item,
    timeMs,
    sizeBytes,
    damaged,
    committedMs,
    ...(offsiteMs === undefined ? {} : { offsiteMs }),
  };
}

function details(record: SnapshotRecord) {
  const { device, run, startedMs, endedMs, source } = record;
  const files = source.files.map(({ name, kind, size }): SnapshotFileRow => ({
    name,
    kind,
    sizeBytes: size,
    holes: source.holes.filter(({ file }) => file === name).length,
  }));
  const { datastore, namespace, owner } = source;
  const pbs = { datastore, namespace, protected: source.protected, ...(owner === null ? {} : { owner: owner.trim() }) };
  return { device, run, startedMs, endedMs, files, pbs };
}
