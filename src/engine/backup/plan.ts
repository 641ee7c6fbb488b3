/** What a run has to do, from what the source shows and what the targets have. */
import type { SnapshotId } from '../../core/ids.ts';
import type { SnapshotSummary } from '../repository/repository.ts';
import { groupKey, type ListedGroup } from '../sources/pbs.ts';
import type { StoredPair } from './amend.ts';
import type { PlannedItem } from './item.ts';
import type { ParentSnapshot } from './parent.ts';
import { backupOrder, itemKey, missingItems, type SelectionRule } from './selection.ts';
import type { TargetRun } from './target-run.ts';

export interface BackupPlan {
  /** In the order in which they are read. */
  readonly items: readonly PlannedItem[];
  /** What each target has already, to be compared with the source. */
  readonly stored: ReadonlyMap<TargetRun, readonly StoredPair[]>;
}

export interface PlanRule extends Omit<SelectionRule, 'keep'> {
  /** Only snapshots of this backup count as stored. */
  readonly backup: string;
}

export function planBackup(groups: readonly ListedGroup[], targets: readonly TargetRun[], rule: PlanRule): BackupPlan {
  const planned = new Map<string, DraftedItem>();
  const stored = new Map<TargetRun, StoredPair[]>();
  for (const target of targets) {
    const pairs: StoredPair[] = [];
    const byGroup = storedByGroup(target.repository.snapshots(), rule.backup);
    for (const { group, snapshots } of groups) {
      const key = groupKey(group);
      const has = byGroup.get(key) ?? new Map<string, SnapshotSummary>();
      const items = snapshots.map((snapshot) => ({
        snapshot,
        name: snapshot,
        group: key,
        item: String(snapshot.timeSeconds),
        timeMs: snapshot.timeSeconds * 1000,
        protected: snapshot.protected,
        finished: snapshot.finished,
      }));
      for (const item of missingItems(items, [...has.values()], { ...rule, keep: target.keep })) {
        addTo(planned, item).targets.push(target);
      }
      for (const listed of items) {
        const summary = has.get(listed.item);
        if (!summary || !listed.finished) continue;
        if (!target.repository.unproven().has(summary.id)) {
          pairs.push({ summary, snapshot: listed.snapshot, group });
          continue;
        }
        const known = addTo(planned, listed);
        known.targets.push(target);
        known.mends.set(target, summary.id);
      }
    }
    stored.set(target, pairs);
  }
  const candidates = parentsByGroup(stored);
  const items = [...planned.values()].map((item) => ({ ...item, parent: parentOf(item, candidates.get(item.group)) }));
  return { items: backupOrder(items), stored };
}

interface Candidate extends ParentSnapshot {
  readonly summaries: Map<TargetRun, SnapshotSummary>;
}

/** What some target has, by group and item. */
function parentsByGroup(stored: BackupPlan['stored']): Map<string, Map<string, Candidate>> {
  const groups = new Map<string, Map<string, Candidate>>();
  for (const [target, pairs] of stored) {
    for (const { summary, snapshot } of pairs) {
      const items = groups.get(summary.group) ?? new Map<string, Candidate>();
      const candidate = items.get(summary.item) ?? { snapshot, summaries: new Map<TargetRun, SnapshotSummary>() };
      candidate.summaries.set(target, summary);
      items.set(summary.item, candidate);
      groups.set(summary.group, items);
    }
  }
  return groups;
}

/** What is in doubt is asked for chunk by chunk: that is what settles the doubt. */
function parentOf(item: DraftedItem, candidates: ReadonlyMap<string, Candidate> | undefined): Candidate | undefined {
  if (item.mends.size > 0) return undefined;
  let nearest: Candidate | undefined;
  const distance = ({ snapshot }: Candidate): number => Math.abs(snapshot.timeSeconds * 1000 - item.timeMs);
  for (const candidate of candidates?.values() ?? []) {
    if (!item.targets.every((target) => candidate.summaries.has(target))) continue;
    if (nearest === undefined || distance(candidate) < distance(nearest)) nearest = candidate;
  }
  return nearest;
}

interface DraftedItem extends PlannedItem {
  readonly targets: TargetRun[];
  readonly mends: Map<TargetRun, SnapshotId>;
}

function addTo(planned: Map<string, DraftedItem>, item: Omit<PlannedItem, 'targets' | 'mends'>): DraftedItem {
  const known = planned.get(itemKey(item));
  if (known) return known;
  const { group, item: name, timeMs, finished } = item;
  const made = {
    group,
    item: name,
    timeMs,
    finished,
    protected: item.protected,
    name: item.name,
    targets: [],
    mends: new Map(),
  };
  planned.set(itemKey(item), made);
  return made;
}

/** The newest commit counts where an item was committed more than once. */
function storedByGroup(
  summaries: readonly SnapshotSummary[],
  backup: string,
): Map<string, Map<string, SnapshotSummary>> {
  const groups = new Map<string, Map<string, SnapshotSummary>>();
  for (const summary of summaries) {
    if (summary.backup !== backup) continue;
    const items = groups.get(summary.group) ?? new Map<string, SnapshotSummary>();
    const known = items.get(summary.item);
    if (!known || known.committedMs <= summary.committedMs) items.set(summary.item, summary);
    groups.set(summary.group, items);
  }
  return groups;
}
