/**
 * Items that are committed together. Order: all chunks read → locks given back → every pack in its store → one commit in
 * each target, of those items that are whole for it.
 */
import { toHex } from '../../core/bytes.ts';
import { NesteggError } from '../../core/errors.ts';
import type { SnapshotId } from '../../core/ids.ts';
import type { BackupPool } from '../compute/backup-pool.ts';
import { encodeSnapshotRecord, type Hole, type SnapshotRecord } from '../format/snapshot.ts';
import type { CommitResult, WriteSession } from '../repository/repository.ts';
import type { CommitEvery } from './backup.ts';
import type { BadChunks } from './bad-chunks.ts';
import { holesOf, itemLabel, recordOf, type DraftItem, type RecordContext } from './item.ts';
import type { ProblemList } from '../../core/problem.ts';
import type { TargetRun } from './target-run.ts';

/** How often packs of one commit may be lost before the store is given up. */
const mendAttempts = 3;
/** Bad places that a warning lists. */
const placesListed = 20;

export interface CommitContext {
  readonly record: RecordContext;
  readonly targets: readonly TargetRun[];
  readonly bad: BadChunks;
  readonly warnings: ProblemList;
  readonly allowDamaged: boolean;
  /** The pool, if any chunk was ever missed. */
  readonly pool: () => BackupPool | undefined;
  /** Reads an item once more for one target. @throws SourceError when it cannot be read again. */
  readonly readAgain: (draft: DraftItem, target: TargetRun) => Promise<void>;
  readonly onCommitted: (target: TargetRun, snapshots: readonly SnapshotId[]) => void;
  readonly signal: AbortSignal | undefined;
}

interface Ready {
  readonly draft: DraftItem;
  readonly record: SnapshotRecord;
}

export class CommitGroup {
  readonly #context: CommitContext;
  readonly #every: CommitEvery;
  #drafts: DraftItem[] = [];
  #chunks = 0;
  #readBytes = 0;
  /** Items committed in some target, and items left out in some target. */
  readonly committed = new Set<string>();
  readonly incomplete = new Set<string>();

  constructor(context: CommitContext, every: CommitEvery) {
    this.#context = context;
    this.#every = every;
  }

  get isFull(): boolean {
    const { snapshots, chunks, readBytes } = this.#every;
    return this.#drafts.length >= snapshots || this.#chunks >= chunks || this.#readBytes >= readBytes;
  }

  add(draft: DraftItem): void {
    this.#drafts.push(draft);
    this.#chunks += draft.read.chunks;
  }

  /** Bytes that workers read, as they report them. */
  countRead(bytes: number): void {
    this.#readBytes += bytes;
  }

  /** Gives back all locks; nothing is committed. */
  async abandon(): Promise<void> {
    for (const draft of this.#drafts.splice(0)) await draft.opened.release();
  }

  async commit(): Promise<void> {
    const drafts = this.#drafts;
    if (drafts.length === 0) return;
    const { pool, targets, signal } = this.#context;
    await pool()?.drain();
    const there = await this.#stillThere(drafts);
    await this.abandon();
    this.#chunks = 0;
    this.#readBytes = 0;
    await pool()?.flush();
    signal?.throwIfAborted();
    const ready = new Map(targets.map((target) => [target, this.#ready(there, target)]));
    this.#warn(there);
    const lost = await Promise.all([...ready].map(([target, items]) => this.#commitIn(target, items)));
    for (const mend of lost) await mend?.();
  }

  /** Drops items that PBS removed while a chunk of theirs was missing: what is bad about them is only that they are gone. */
  async #stillThere(drafts: readonly DraftItem[]): Promise<DraftItem[]> {
    const there: DraftItem[] = [];
    for (const draft of drafts) {
      const hurt = draft.planned.targets.some((target) => holesOf(draft, this.#context.bad, target).length > 0);
      if (!hurt || (await draft.opened.isThere())) there.push(draft);
    }
    return there;
  }

  #ready(drafts: readonly DraftItem[], target: TargetRun): Ready[] {
    const { bad, allowDamaged, record: context } = this.#context;
    const ready: Ready[] = [];
    for (const draft of drafts) {
      if (!target.active || !draft.planned.targets.includes(target)) continue;
      const holes = holesOf(draft, bad, target);
      if (holes.length > 0) target.warned = true;
      if (holes.length === 0 || allowDamaged) ready.push({ draft, record: recordOf(draft, holes, context) });
      else this.incomplete.add(itemLabel(draft.planned.name));
    }
    return ready;
  }

  /** One warning an item, however many targets it concerns. */
  #warn(drafts: readonly DraftItem[]): void {
    const { bad, warnings, allowDamaged } = this.#context;
    for (const draft of bad.any ? drafts : []) {
      const hurt = draft.planned.targets.map((target) => ({ target, holes: holesOf(draft, bad, target) }));
      const most = hurt.reduce<readonly Hole[]>((a, { holes }) => (holes.length > a.length ? holes : a), []);
      const first = most[0];
      if (!first) continue;
      const label = itemLabel(draft.planned.name);
      const others = most.length === 1 ? '' : ` (and ${most.length - 1} more)`;
      warnings.add({
        code: 'source.corrupt',
        message:
          `${label} ${allowDamaged ? 'was backed up with holes' : 'was not backed up'}: chunk ${toHex(first.digest)} at ` +
          `position ${first.position} of ${first.file} is bad${others}: ${first.reason}`,
        hint: 'Run a verify job in PBS; a new backup of the machine writes the chunk again if its data is still there.',
        context: {
          snapshot: label,
          repositories: hurt.filter(({ holes }) => holes.length > 0).map(({ target }) => target.name),
          badChunks: most.length,
          chunks: most.slice(0, placesListed).map(({ digest, ...place }) => ({ ...place, digest: toHex(digest) })),
        },
      });
    }
  }

  /**
   * What a damaged entry put in doubt: all of it was claimed or stored again by now. The record is written anew, because
   * the old one may be among what was lost. What has bad chunks stays in doubt.
   */
  async #mendOld(target: TargetRun, ready: readonly Ready[]): Promise<void> {
    const { signal } = this.#context;
    const changes = ready.flatMap(({ draft, record }) => {
      const snapshot = draft.planned.mends.get(target);
      return snapshot === undefined || record.source.holes.length > 0 ? [] : [{ snapshot, record }];
    });
    if (changes.length === 0) return;
    const result = await target.attempt(signal, async (session) => {
      const amended = await session.amend(changes, signal);
      if (amended.outcome === 'lost') throw losesPacks(target.name);
      const mended = await session.mend(
        changes.map(({ snapshot }) => snapshot),
        signal,
      );
      if (mended.outcome === 'lost') throw losesPacks(target.name);
      return mended;
    });
    if (result) this.#done(target, ready, result);
  }

  /** @returns what is left to do when the store lost packs meanwhile: to be done by one target after the other. */
  async #commitIn(target: TargetRun, ready: readonly Ready[]): Promise<(() => Promise<void>) | undefined> {
    const isOld = ({ draft }: Ready): boolean => draft.planned.mends.has(target);
    await this.#mendOld(target, ready.filter(isOld));
    const fresh = ready.filter((item) => !isOld(item));
    if (fresh.length === 0) return undefined;
    const { signal } = this.#context;
    const records = fresh.map(({ record }) => record);
    const result = await target.attempt(signal, (session) => session.commit(records, signal));
    if (result?.outcome === 'lost') return () => this.#mend(target, fresh, result);
    if (result) this.#done(target, fresh, result);
    return undefined;
  }

  async #mend(target: TargetRun, ready: readonly Ready[], lost: CommitResult): Promise<void> {
    const { signal } = this.#context;
    const result = await target.attempt(signal, async (session) => {
      let result = lost;
      for (let attempt = 0; result.outcome === 'lost'; attempt += 1) {
        if (attempt === mendAttempts) throw losesPacks(target.name);
        for (const item of ready) await this.#storeAgain(target, session, item);
        await this.#context.pool()?.flush();
        this.#refuseNewDamage(target, ready);
        result = await session.mend(
          result.snapshots.map((snapshot) => snapshot.id),
          signal,
        );
      }
      return result;
    });
    if (result) this.#done(target, ready, result);
  }

  async #storeAgain(target: TargetRun, session: WriteSession, { draft, record }: Ready): Promise<void> {
    await this.#context.readAgain(draft, target);
    await session.addBlob('snapshot', encodeSnapshotRecord(record), this.#context.signal);
  }

  /** The record is written already: what it names must be stored, so a chunk that went bad meanwhile fails the target. */
  #refuseNewDamage(target: TargetRun, ready: readonly Ready[]): void {
    for (const { draft, record } of ready) {
      if (holesOf(draft, this.#context.bad, target).length > record.source.holes.length) {
        throw new NesteggError(
          'repository.commit',
          `repository ${target.name} lost packs, and the source has their chunks no more`,
          {
            hint: 'Run a check of the repository; repair heals it from a sibling that has the chunks.',
            context: { snapshot: itemLabel(draft.planned.name) },
          },
        );
      }
    }
  }

  #done(target: TargetRun, ready: readonly Ready[], result: CommitResult): void {
    for (const { draft } of ready) this.committed.add(itemLabel(draft.planned.name));
    this.#context.onCommitted(
      target,
      result.snapshots.map((snapshot) => snapshot.id),
    );
  }
}

function losesPacks(repository: string): NesteggError {
  return new NesteggError('repository.commit', `repository ${repository} loses packs as fast as they are stored`, {
    retry: 'later',
    hint: 'Something deletes objects below the prefix of this repository: a lifecycle rule, or another program.',
  });
}
