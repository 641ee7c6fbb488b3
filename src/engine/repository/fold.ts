/**
 * The meaning of a journal: a pure function from checkpoint and entries to a *view*. The order of concurrent entries never
 * decides over a snapshot's life; of two amendments the one counts whose writer had seen the other, else the one with the
 * higher entry id.
 */
import type { CheckpointId, RunId, SegmentId, SnapshotId, WriterId } from '../../core/ids.ts';
import type { CheckpointState, OpenRun } from '../format/checkpoint.ts';
import type { BlobRef } from '../format/blob.ts';
import type { DecodedEntry } from '../format/entry.ts';
import type { EntryBody, ProgressBody, Role } from '../format/entry-body.ts';
import { entryName } from '../format/names.ts';
import type { JournalHead } from '../format/shapes.ts';
import { deadBlob, type DeadSet } from './blob-table.ts';
import { Doubts, SeenDamage } from './doubts.ts';
import { Covered, forkWindow, type Journal } from './journal.ts';
import { inOrder } from './journal-order.ts';
import type { HistoryWarning, SnapshotSummary } from './repository.ts';

/** What the journal says at one moment. */
export interface View {
  readonly checkpoint: CheckpointId | null;
  /** Entries that the checkpoint covers. */
  readonly coveredEntries: number;
  readonly checkpointMs: number;
  /** Newest entry or, after a fork, entries of every writer, covered ones included. */
  readonly heads: readonly JournalHead[];
  /** The heads that the checkpoint does not cover: what a new entry names. */
  readonly headsBeyond: readonly JournalHead[];
  /** All uncovered entries, for the next checkpoint. */
  readonly beyond: readonly JournalHead[];
  readonly recent: readonly JournalHead[];
  readonly snapshots: ReadonlyMap<SnapshotId, SnapshotSummary>;
  readonly segments: ReadonlySet<SegmentId>;
  readonly runs: ReadonlyMap<RunId, OpenRun>;
  /** Snapshots that may rely on something declared damaged since: a backup that finds them whole, or mends them, settles it. */
  readonly unproven: ReadonlySet<SnapshotId>;
  /** Packs and single blobs that a damaged entry names. */
  readonly damaged: DeadSet;
  readonly features: Readonly<Record<Role, readonly string[]>>;
  readonly maintainers: ReadonlySet<WriterId>;
  /** Roles that this program may not take, because an entry or feature asks for more than it knows. */
  readonly refused: ReadonlySet<Role>;
  readonly forked: ReadonlySet<WriterId>;
  readonly warnings: readonly HistoryWarning[];
  readonly closed: boolean;
}

export interface FoldRules {
  /** The owner key of the repository, when a key slot told it. */
  readonly owner: WriterId | undefined;
  /** Features that this program knows. */
  readonly knownFeatures: ReadonlySet<string>;
}

export function foldJournal(journal: Journal, rules: FoldRules): View {
  const entries = inOrder(journal.entries);
  const fold = new Fold(journal, rules, new SeenDamage(entries));
  for (const entry of entries) fold.apply(entry);
  return fold.view();
}

class Fold {
  readonly #journal: Journal;
  readonly #rules: FoldRules;
  readonly #snapshots = new Map<SnapshotId, SnapshotSummary>();
  readonly #segments = new Set<SegmentId>();
  readonly #runs = new Map<RunId, OpenRun>();
  readonly #doubts = new Doubts();
  readonly #damage: SeenDamage;
  readonly #damaged = new Set<string>();
  readonly #maintainers = new Set<WriterId>();
  readonly #refused = new Set<Role>();
  readonly #warnings: HistoryWarning[];
  #features: Record<Role, readonly string[]> = { read: [], write: [], maintain: [] };

  constructor(journal: Journal, rules: FoldRules, damage: SeenDamage) {
    this.#damage = damage;
    this.#journal = journal;
    this.#rules = rules;
    this.#warnings = [...journal.warnings];
    if (rules.owner !== undefined) this.#maintainers.add(rules.owner);
    const state = journal.checkpoint?.state;
    if (state) this.#start(state);
  }

  #start(state: CheckpointState): void {
    for (const snapshot of state.snapshots) {
      this.#snapshots.set(snapshot.id, snapshot);
      this.#doubts.raise(snapshot.id, this.#damage.all);
    }
    for (const segment of state.segments) this.#segments.add(segment);
    for (const run of state.progress) this.#runs.set(run.run, run);
    for (const id of state.unproven) this.#doubts.raise(id, ['covered']);
    this.#addDamaged(state.damaged);
    for (const { writer } of state.grants) this.#maintainers.add(writer);
    this.#features = state.features;
  }

  apply(entry: DecodedEntry): void {
    const body: EntryBody = entry.body;
    switch (body.kind) {
      case 'snapshot':
        for (const snapshot of body.snapshots) {
          const { run, timeMs } = body;
          this.#commit(entry, { ...snapshot, run, committedMs: timeMs, recordedMs: timeMs, writer: entry.writer });
        }
        this.#endRun(body.run, body.segments);
        return;
      case 'amend':
        for (const { id, record } of body.changes) this.#amend(id, record, body.timeMs);
        this.#endRun(body.run, body.segments);
        return;
      case 'progress':
        this.#progress(entry.writer, body);
        return;
      case 'mend':
        for (const id of body.snapshots) this.#doubts.settle(id, this.#damage.seenBy(entry));
        this.#endRun(body.run, body.segments);
        return;
      case 'damaged':
        this.#addDamaged(body);
        return;
      case 'features':
      case 'roles':
        this.#govern(entry, body);
        return;
      case 'unknown':
        for (const role of entry.roles) this.#refused.add(role);
        this.#warnings.push({ kind: 'ignored', object: nameOf(entry), reason: body.reason });
        return;
    }
  }

  #addDamaged({ packs, blobs }: CheckpointState['damaged']): void {
    for (const pack of packs) this.#damaged.add(pack);
    for (const { pack, blob } of blobs) this.#damaged.add(deadBlob(pack, blob));
  }

  /** A snapshot committed twice keeps what an amendment said in between. */
  #commit(entry: DecodedEntry, snapshot: SnapshotSummary): void {
    if (this.#snapshots.has(snapshot.id)) return;
    this.#snapshots.set(snapshot.id, snapshot);
    this.#doubts.raise(snapshot.id, this.#damage.unseenBy(entry));
  }

  #amend(id: SnapshotId, record: BlobRef, recordedMs: number): void {
    const snapshot = this.#snapshots.get(id);
    if (snapshot) this.#snapshots.set(id, { ...snapshot, record, recordedMs });
  }

  /** What the run stored is named by an entry of its own from here on. */
  #endRun(run: RunId, segments: readonly SegmentId[]): void {
    this.#addSegments(segments);
    this.#runs.delete(run);
  }

  #addSegments(segments: readonly SegmentId[]): void {
    for (const segment of segments) this.#segments.add(segment);
  }

  #progress(writer: WriterId, { run, timeMs, segments }: ProgressBody): void {
    this.#addSegments(segments);
    const before = this.#runs.get(run)?.segments ?? [];
    this.#runs.set(run, { run, writer, timeMs, segments: [...before, ...segments] });
  }

  #govern(entry: DecodedEntry, body: Extract<EntryBody, { kind: 'features' | 'roles' }>): void {
    if (!this.#maintainers.has(entry.writer)) {
      const reason = `${body.kind} entry of a writer without the maintain role`;
      this.#warnings.push({ kind: 'ignored', object: nameOf(entry), reason });
      return;
    }
    if (body.kind === 'features') {
      this.#features = { read: body.read, write: body.write, maintain: body.maintain };
      return;
    }
    for (const { writer } of body.grants) this.#maintainers.add(writer);
    for (const { writer } of body.revokes) if (writer !== this.#rules.owner) this.#maintainers.delete(writer);
  }

  view(): View {
    for (const role of ['read', 'write', 'maintain'] as const) {
      if (this.#features[role].some((feature) => !this.#rules.knownFeatures.has(feature))) this.#refused.add(role);
    }
    const { checkpoint, entries, closed } = this.#journal;
    const beyond = entries.map(headOf);
    const headsBeyond = tips(entries);
    const followed = new Set(entries.map((entry) => entry.previous));
    const covered = (checkpoint?.state.heads ?? []).filter((head) => !followed.has(head.id));
    return {
      checkpoint: checkpoint?.id ?? null,
      coveredEntries: checkpoint?.state.entries ?? 0,
      checkpointMs: checkpoint?.state.timeMs ?? 0,
      heads: [...covered, ...headsBeyond],
      headsBeyond,
      beyond,
      recent: recentHeads(checkpoint?.state, beyond),
      snapshots: this.#snapshots,
      segments: this.#segments,
      runs: this.#runs,
      unproven: this.#doubts.open(),
      damaged: this.#damaged,
      features: this.#features,
      maintainers: this.#maintainers,
      refused: this.#refused,
      forked: new Set(this.#warnings.flatMap((warning) => (warning.kind === 'fork' ? [warning.writer] : []))),
      warnings: this.#warnings,
      closed,
    };
  }
}

function nameOf(entry: DecodedEntry): string {
  return entryName(entry.writer, entry.sequence, entry.id);
}

function headOf(entry: DecodedEntry): JournalHead {
  return { writer: entry.writer, sequence: entry.sequence, id: entry.id };
}

/** Entries that no other entry of the same writer follows. */
function tips(entries: readonly DecodedEntry[]): JournalHead[] {
  const followed = new Set(entries.map((entry) => entry.previous));
  return entries.filter((entry) => !followed.has(entry.id)).map(headOf);
}

function recentHeads(state: CheckpointState | undefined, beyond: readonly JournalHead[]): JournalHead[] {
  const all = [...(state?.recent ?? []), ...beyond];
  const newest = new Map<WriterId, number>();
  for (const head of all) newest.set(head.writer, Math.max(head.sequence, newest.get(head.writer) ?? 0));
  return all.filter((head) => head.sequence > (newest.get(head.writer) ?? 0) - forkWindow);
}

/**
 * What a machine that remembers `remembered` must tell: writers whose remembered entry is not part of this view.
 * An empty memory finds nothing.
 */
export function findRollbacks(journal: Journal, remembered: ReadonlyMap<WriterId, JournalHead>): HistoryWarning[] {
  const covered = new Covered(journal.checkpoint?.state);
  const present = new Set(journal.entries.map((entry) => entry.id));
  const newest = new Map<WriterId, number>();
  for (const entry of journal.entries)
    newest.set(entry.writer, Math.max(entry.sequence, newest.get(entry.writer) ?? 0));
  const warnings: HistoryWarning[] = [];
  for (const head of remembered.values()) {
    if (present.has(head.id) || covered.has(head)) continue;
    const found = Math.max(newest.get(head.writer) ?? 0, covered.newest(head.writer));
    warnings.push({ kind: 'rollback', writer: head.writer, remembered: head.sequence, found });
  }
  return warnings;
}
