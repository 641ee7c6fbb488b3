import { isCancellation, SourceError, UsageError } from '../../core/errors.ts';
import type { SnapshotId } from '../../core/ids.ts';
import { BackupPool, defaultBudgetBytes, type BatchOutcome } from '../compute/backup-pool.ts';
import type { ChunkBatch } from '../compute/compute.ts';
import { PbsDatastore, type PbsItem } from '../sources/pbs.ts';
import { applyAmendments, findAmendments, type StoredPair } from './amend.ts';
import { defaultCommitEvery, type BackupPhase, type BackupReport, type BackupRequest } from './backup.ts';
import { BadChunks } from './bad-chunks.ts';
import { CommitGroup } from './commit-group.ts';
import { itemLabel, type DraftItem, type PlannedItem } from './item.ts';
import { ItemReader, NoTargetLeft, type ReadItem } from './item-reader.ts';
import { Parent, type ParentSnapshot } from './parent.ts';
import { planBackup, type BackupPlan } from './plan.ts';
import { problemOf, ProblemList } from '../../core/problem.ts';
import { ProgressMeter, type Progress } from '../../core/progress.ts';
import { makeReport } from './report.ts';
import { TargetRun } from './target-run.ts';

/** Amendments in one commit. */
const amendmentsEach = 64;

/**
 * Backs up a PBS datastore into all repositories at once. What a repository has is skipped; a repository that fails ends
 * with its problem while the others go on; a bad snapshot is left out, with a warning, while the others are committed.
 *
 * Cancelling is an answer: the report says `cancelled` and what was committed until then.
 * @throws SourceError when the source cannot be opened or listed, UsageError for impossible options, NesteggError when a
 * worker thread breaks. What was committed before stays.
 */
export async function backupPbs(request: BackupRequest): Promise<BackupReport> {
  const { options, source: sourceOptions } = request;
  refuseTwins(request);
  const source = await PbsDatastore.open(sourceOptions, options);
  return new BackupRun(request, source).execute();
}

function refuseTwins({ repositories }: BackupRequest): void {
  if (repositories.length === 0) throw new UsageError('a backup needs at least one repository');
  if (new Set(repositories.map(({ repository }) => repository.id)).size < repositories.length) {
    throw new UsageError('two repositories of this backup are the same one', {
      hint: 'Two names in the configuration lead to one location.',
    });
  }
}

/** One run. Used once. */
class BackupRun {
  readonly #request: BackupRequest;
  readonly #source: PbsDatastore;
  readonly #targets: readonly TargetRun[];
  readonly #warnings: ProblemList;
  readonly #meter: ProgressMeter<BackupPhase>;
  readonly #bad = new BadChunks();
  readonly #group: CommitGroup;
  #pool: BackupPool | undefined;
  #readBytes = 0;
  #chunks = 0;
  #busy = 0;
  #remaining = 0;
  #amended = new Set<string>();
  #unreadable = new Set<string>();

  constructor(request: BackupRequest, source: PbsDatastore) {
    this.#request = request;
    this.#source = source;
    const { run, repositories, events, options, signal } = request;
    this.#warnings = new ProblemList((problem) => events?.warning?.(problem));
    this.#targets = repositories.map(
      (target, number) => new TargetRun(number, target, run, (failed) => this.#pool?.drop(failed.number)),
    );
    const tell = events?.progress?.bind(events);
    this.#meter = new ProgressMeter<BackupPhase>(
      options.clock,
      'list',
      tell &&
        ((progress: Progress<BackupPhase>): void => {
          tell({ ...progress, uploadedBytes: this.#uploadedBytes() });
        }),
    );
    const { backup, device } = options;
    const record = { run, backup, device, identity: source.identity, datastoreName: source.datastoreName };
    this.#group = new CommitGroup(
      {
        record,
        targets: this.#targets,
        bad: this.#bad,
        warnings: this.#warnings,
        allowDamaged: options.allowDamaged,
        pool: () => this.#pool,
        readAgain: (draft, target) => this.#readAgain(draft, target),
        onCommitted: (target, snapshots) => {
          this.#committed(target, snapshots);
        },
        signal,
      },
      { ...defaultCommitEvery, ...options.commitEvery },
    );
  }

  async execute(): Promise<BackupReport> {
    let cancelled = false;
    try {
      await this.#work();
    } catch (error) {
      if (this.#request.signal?.aborted !== true && !isCancellation(error)) {
        await this.#end();
        throw error;
      }
      cancelled = true;
    }
    await this.#end();
    return this.#report(cancelled);
  }

  async #work(): Promise<void> {
    const { options, signal } = this.#request;
    this.#meter.phase('list');
    const { groups, problems } = await this.#source.list(signal);
    for (const problem of problems) this.#warnings.add(problemOf(problem));
    const { backup, snapshots, timeZone } = options;
    const plan = planBackup(groups, this.#targets, { backup, snapshots, timeZone });
    await this.#amend(plan);
    await this.#measure(plan);
    for (const item of plan.items) {
      signal?.throwIfAborted();
      if (options.stop?.aborted === true) this.#remaining += 1;
      else await this.#backUp(item);
      if (this.#group.isFull) await this.#commit();
    }
    await this.#commit();
  }

  async #commit(): Promise<void> {
    this.#meter.phase('commit');
    await this.#group.commit();
    // Once more: what was uploaded meanwhile is told even when nothing comes after it.
    this.#meter.phase('commit');
  }

  async #amend(plan: BackupPlan): Promise<void> {
    this.#meter.phase('amend');
    await Promise.all([...plan.stored].map(([target, pairs]) => this.#amendIn(target, pairs)));
  }

  async #amendIn(target: TargetRun, pairs: readonly StoredPair[]): Promise<void> {
    const { signal } = this.#request;
    const events = {
      compared: (): void => undefined,
      problem: (pair: StoredPair, error: Error): void => {
        const problem = problemOf(error);
        const snapshot = itemLabel(pair.snapshot);
        this.#warnings.add({ ...problem, message: `${snapshot} in ${target.name}: ${problem.message}` });
      },
    };
    try {
      const amendments = await findAmendments(target, pairs, events, signal);
      for (let at = 0; at < amendments.length; at += amendmentsEach) {
        const result = await applyAmendments(target, amendments.slice(at, at + amendmentsEach), signal);
        if (!result) return;
        this.#committed(
          target,
          result.snapshots.map(({ id }) => id),
        );
        for (const { group, item } of result.snapshots) this.#amended.add(`${group}@${item}`);
      }
    } catch (error) {
      if (signal?.aborted === true || isCancellation(error)) throw error;
      target.fail(error);
    }
  }

  /** What there is to do, for people who wait; only asked for when somebody listens. */
  async #measure(plan: BackupPlan): Promise<void> {
    let bytes: number | undefined;
    if (this.#request.events?.progress && plan.items.length > 0) {
      bytes = await this.#source.sizeOf(plan.items.map(({ name }) => name));
    }
    this.#meter.totals(plan.items.length, bytes);
  }

  async #backUp(item: PlannedItem): Promise<void> {
    const { signal, options } = this.#request;
    for (const target of item.targets) await target.attempt(signal, () => Promise.resolve());
    const wants = (target: TargetRun): boolean => item.mends.has(target) || !target.has(options.backup, item);
    const targets = item.targets.filter((target) => target.active && wants(target));
    if (targets.length === 0) return;
    const label = itemLabel(item.name);
    this.#meter.phase('read', label);
    try {
      const draft = await this.#draft(item, targets);
      if (draft) this.#group.add(draft);
    } catch (error) {
      if (error instanceof NoTargetLeft) return;
      if (!(error instanceof SourceError)) throw error;
      this.#leaveOut(item, targets, error);
    }
    this.#meter.itemDone();
  }

  async #draft(item: PlannedItem, targets: readonly TargetRun[]): Promise<DraftItem | undefined> {
    const startedMs = this.#request.options.clock.now();
    const opened = await this.#source.open(item.name);
    if (opened.outcome === 'busy') this.#busy += 1;
    if (opened.outcome !== 'open') return undefined;
    try {
      const read = await this.#read(opened.item, targets, item.parent);
      return {
        planned: { ...item, targets },
        opened: opened.item,
        read,
        startedMs,
        endedMs: this.#request.options.clock.now(),
      };
    } catch (error) {
      await opened.item.release();
      if (error instanceof SourceError && !(await opened.item.isThere())) return undefined;
      throw error;
    }
  }

  async #read(item: PbsItem, targets: readonly TargetRun[], from?: ParentSnapshot): Promise<ReadItem> {
    const options = {
      parent: from && (await Parent.open(from, targets, this.#request.signal)),
      verify: this.#request.options.verify,
      identity: this.#source.identity,
      targets: this.#targets.length,
      submit: (batch: ChunkBatch) => this.#submit(batch),
      onKnown: (bytes: number) => {
        this.#meter.bytes(bytes);
      },
      onRead: (bytes: number) => {
        this.#readBytes += bytes;
      },
      signal: this.#request.signal,
    };
    return new ItemReader(options, item, targets).read();
  }

  async #readAgain(draft: DraftItem, target: TargetRun): Promise<void> {
    const opened = await this.#source.open(draft.planned.name);
    if (opened.outcome !== 'open') {
      throw new SourceError(
        'source.changed',
        `${itemLabel(draft.planned.name)} is ${opened.outcome}, so it cannot be read again`,
      );
    }
    try {
      await this.#read(opened.item, [target]);
      await this.#pool?.drain();
    } finally {
      await opened.item.release();
    }
  }

  /** Threads are started when the first chunk is missed: a run that finds nothing new has none. */
  async #submit(batch: ChunkBatch): Promise<void> {
    const { options, signal } = this.#request;
    if (!this.#pool) {
      this.#pool = new BackupPool({
        datastore: this.#source.path,
        repositories: this.#targets.map(({ repository }) => ({
          keys: repository.keys.export(),
          packBytes: repository.packBytes,
          slabBytes: repository.slabBytes,
        })),
        threads: options.threads,
        budgetBytes: options.budgetBytes ?? defaultBudgetBytes,
        onPack: async (number, pack) => {
          await this.#targets[number]?.attempt(signal, (session) => session.addPack(pack, signal));
        },
        onBatch: (outcome) => {
          this.#batchDone(outcome);
        },
        signal,
      });
      for (const target of this.#targets) if (!target.active) this.#pool.drop(target.number);
    }
    await this.#pool.submit(batch);
  }

  #batchDone(outcome: BatchOutcome): void {
    this.#readBytes += outcome.readBytes;
    this.#chunks += outcome.chunks;
    this.#group.countRead(outcome.readBytes);
    for (const bad of outcome.bad) {
      this.#bad.add(bad);
      for (const target of this.#targets) {
        const id = (bad.missing & (1 << target.number)) === 0 ? undefined : bad.ids[target.number];
        if (id) target.session?.disclaim(id);
      }
    }
    this.#meter.bytes(outcome.dataBytes);
  }

  #leaveOut(item: PlannedItem, targets: readonly TargetRun[], error: SourceError): void {
    const label = itemLabel(item.name);
    for (const target of targets) target.warned = true;
    this.#unreadable.add(label);
    const problem = problemOf(error);
    this.#warnings.add({
      ...problem,
      message: `${label} was not backed up: ${problem.message}`,
      context: { ...problem.context, snapshot: label, repositories: targets.map(({ name }) => name) },
    });
  }

  #committed(target: TargetRun, snapshots: readonly SnapshotId[]): void {
    target.committed(snapshots);
    this.#request.events?.committed?.(target.name, snapshots);
  }

  #uploadedBytes(): number {
    return this.#targets.reduce((sum, target) => sum + target.totals.storedBytes, 0);
  }

  async #end(): Promise<void> {
    await this.#group.abandon();
    await this.#pool?.close();
    await Promise.all(this.#targets.map((target) => target.close()));
  }

  #report(cancelled: boolean): BackupReport {
    return makeReport({
      cancelled,
      targets: this.#targets,
      warnings: this.#warnings,
      readBytes: this.#readBytes,
      items: this.#group.committed.size,
      chunks: this.#chunks,
      durationMs: this.#meter.elapsedMs,
      details: {
        run: this.#request.run,
        amended: this.#amended.size,
        incomplete: new Set([...this.#group.incomplete, ...this.#unreadable]).size,
        busy: this.#busy,
        remaining: this.#remaining,
      },
    });
  }
}
