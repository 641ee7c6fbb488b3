/**
 * The meaning of a journal: a pure function from checkpoint and entries to a *view*. The order of concurrent entries never
 * decides over a snapshot's life; of two amendments the later one (by time, then by id) counts.
 */
import type { CheckpointId, RunId, SegmentId, SnapshotId, WriterId } from '../../core/ids.ts';
import { toHex } from '../../core/bytes.ts';
import type { CheckpointState } from '../format/checkpoint.ts';
import type { DecodedEntry, EntryBody, Head, Role } from '../format/entry.ts';
import type { DeadSet } from './blob-table.ts';
import { Covered, forkWindow, type Journal } from './journal.ts';
import type { HistoryWarning, SnapshotSummary } from './repository.ts';

export interface OpenRun {
  readonly run: RunId;
  readonly writer: WriterId;
  readonly timeMs: number;
  readonly segments: readonly SegmentId[];
}

/** What the journal says at one moment. */
export interface View {
  readonly checkpoint: CheckpointId | undefined;
  /** Entries that the checkpoint covers. */
  readonly coveredEntries: number;
  readonly checkpointMs: number;
  /** Newest entry or, after a fork, entries of every writer, covered ones included. */
  readonly heads: readonly Head[];
  /** The heads that the checkpoint does not cover: what a new entry names. */
  readonly headsBeyond: readonly Head[];
  /** All uncovered entries, for the next checkpoint. */
  readonly beyond: readonly Head[];
  readonly recent: readonly Head[];
  readonly snapshots: ReadonlyMap<SnapshotId, SnapshotSummary>;
  readonly segments: ReadonlySet<SegmentId>;
  readonly runs: ReadonlyMap<RunId, OpenRun>;
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
  const fold = new Fold(journal, rules);
  for (const entry of inOrder(journal.entries)) fold.apply(entry);
  return fold.view();
}

/** A writer's entries keep their order; between writers time decides, and the id where times are equal. */
function inOrder(entries: readonly DecodedEntry[]): DecodedEntry[] {
  const latest = new Map<WriterId, number>();
  const keyed = entries.map((entry) => {
    const timeMs = Math.max(entry.body.timeMs, latest.get(entry.writer) ?? 0);
    latest.set(entry.writer, timeMs);
    return { entry, timeMs };
  });
  keyed.sort(
    (a, b) =>
      a.timeMs - b.timeMs ||
      (a.entry.writer === b.entry.writer ? a.entry.sequence - b.entry.sequence : 0) ||
      (a.entry.id < b.entry.id ? -1 : 1),
  );
  return keyed.map(({ entry }) => entry);
}

class Fold {
  readonly #journal: Journal;
  readonly #rules: FoldRules;
  readonly #snapshots = new Map<SnapshotId, SnapshotSummary>();
  readonly #segments = new Set<SegmentId>();
  readonly #runs = new Map<RunId, OpenRun>();
  readonly #damaged = new Set<string>();
  readonly #maintainers = new Set<WriterId>();
  readonly #refused = new Set<Role>();
  readonly #warnings: HistoryWarning[];
  #features: Record<Role, readonly string[]> = { read: [], write: [], maintain: [] };

  constructor(journal: Journal, rules: FoldRules) {
    this.#journal = journal;
    this.#rules = rules;
    this.#warnings = [...journal.warnings];
    if (rules.owner !== undefined) this.#maintainers.add(rules.owner);
    const state = journal.checkpoint?.state;
    if (state) this.#start(state);
  }

  #start(state: CheckpointState): void {
    for (const snapshot of state.snapshots) this.#snapshots.set(snapshot.id, snapshot);
    for (const segment of state.segments) this.#segments.add(segment);
    for (const run of state.progress) this.#runs.set(run.run, run);
    for (const pack of state.damaged.packs) this.#damaged.add(pack);
    for (const [pack, blob] of state.damaged.blobs) this.#damaged.add(`${pack}/${toHex(blob)}`);
    for (const writer of state.maintainers) this.#maintainers.add(writer);
    this.#features = state.features;
  }

  apply(entry: DecodedEntry): void {
    const body: EntryBody = entry.body;
    switch (body.kind) {
      case 'snapshot':
        for (const snapshot of body.snapshots) {
          this.#snapshots.set(snapshot.id, { ...snapshot, run: body.run, committedMs: body.timeMs, writer: entry.writer });
        }
        this.#addSegments(body.segments);
        return;
      case 'amend':
        for (const { id, record } of body.changes) {
          const snapshot = this.#snapshots.get(id);
          if (snapshot) this.#snapshots.set(id, { ...snapshot, record });
        }
        this.#addSegments(body.segments);
        return;
      case 'progress':
        this.#progress(entry, body.run, body.segments);
        return;
      case 'mend':
        this.#addSegments(body.segments);
        return;
      case 'damaged':
        for (const pack of body.packs) this.#damaged.add(pack);
        for (const [pack, blob] of body.blobs) this.#damaged.add(`${pack}/${toHex(blob)}`);
        return;
      case 'features':
      case 'roles':
        this.#govern(entry, body);
        return;
      case 'unknown':
        for (const role of entry.roles) this.#refused.add(role);
        this.#warnings.push({ kind: 'ignored', object: entry.name, reason: 'made by a newer Nestegg' });
        return;
    }
  }

  #addSegments(segments: readonly SegmentId[]): void {
    for (const segment of segments) this.#segments.add(segment);
  }

  #progress(entry: DecodedEntry, run: RunId, segments: readonly SegmentId[]): void {
    this.#addSegments(segments);
    const before = this.#runs.get(run)?.segments ?? [];
    this.#runs.set(run, { run, writer: entry.writer, timeMs: entry.body.timeMs, segments: [...before, ...segments] });
  }

  #govern(entry: DecodedEntry, body: Extract<EntryBody, { kind: 'features' | 'roles' }>): void {
    if (!this.#maintainers.has(entry.writer)) {
      const reason = `${body.kind} entry of a writer without the maintain role`;
      this.#warnings.push({ kind: 'ignored', object: entry.name, reason });
      return;
    }
    if (body.kind === 'features') {
      this.#features = { read: body.read, write: body.write, maintain: body.maintain };
      return;
    }
    for (const writer of body.grants) this.#maintainers.add(writer);
    for (const writer of body.revokes) if (writer !== this.#rules.owner) this.#maintainers.delete(writer);
  }

  view(): View {
    for (const role of ['read', 'write', 'maintain'] as const) {
      if (this.#features[role].some((feature) => !this.#rules.knownFeatures.has(feature))) this.#refused.add(role);
    }
    const { checkpoint, entries, closed } = this.#journal;
    const beyond = entries.map(headOf);
    const headsBeyond = tips(entries);
    const newest = new Set(headsBeyond.map((head) => head.writer));
    const covered = (checkpoint?.state.heads ?? []).filter((head) => !newest.has(head.writer));
    return {
      checkpoint: checkpoint?.id,
      coveredEntries: checkpoint?.state.entries ?? 0,
      checkpointMs: checkpoint?.state.timeMs ?? 0,
      heads: [...covered, ...headsBeyond],
      headsBeyond,
      beyond,
      recent: recentHeads(checkpoint?.state, beyond),
      snapshots: this.#snapshots,
      segments: this.#segments,
      runs: this.#runs,
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

function headOf(entry: DecodedEntry): Head {
  return { writer: entry.writer, sequence: entry.sequence, id: entry.id };
}

/** Entries that no other entry of the same writer follows. */
function tips(entries: readonly DecodedEntry[]): Head[] {
  const followed = new Set(entries.map((entry) => entry.previous));
  return entries.filter((entry) => !followed.has(entry.id)).map(headOf);
}

function recentHeads(state: CheckpointState | undefined, beyond: readonly Head[]): Head[] {
  const all = [...(state?.recent ?? []), ...beyond];
  const newest = new Map<WriterId, number>();
  for (const head of all) newest.set(head.writer, Math.max(head.sequence, newest.get(head.writer) ?? 0));
  return all.filter((head) => head.sequence > (newest.get(head.writer) ?? 0) - forkWindow);
}

/**
 * What a machine that remembers `remembered` must tell: writers whose remembered entry is not part of this view.
 * An empty memory finds nothing.
 */
export function findRollbacks(journal: Journal, remembered: ReadonlyMap<WriterId, Head>): HistoryWarning[] {
  const covered = new Covered(journal.checkpoint?.state);
  const present = new Set(journal.entries.map((entry) => entry.id));
  const newest = new Map<WriterId, number>();
  for (const entry of journal.entries) newest.set(entry.writer, Math.max(entry.sequence, newest.get(entry.writer) ?? 0));
  const warnings: HistoryWarning[] = [];
  for (const head of remembered.values()) {
    if (present.has(head.id) || covered.has(head)) continue;
    const found = Math.max(newest.get(head.writer) ?? 0, covered.newest(head.writer));
    warnings.push({ kind: 'rollback', writer: head.writer, remembered: head.sequence, found });
  }
  return warnings;
}

