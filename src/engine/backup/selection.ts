/** Which items are copied into which target, and in which order. Pure. */
import { applyKeep, type KeepCandidate, type KeepRules } from '../../core/keep.ts';
import { assertNever } from '../../core/assert.ts';
import type { SnapshotSelection } from './backup.ts';

/** One item of the source. `group` and `item` as in summaries. */
export interface SourceItem {
  readonly group: string;
  readonly item: string;
  readonly timeMs: number;
  readonly protected: boolean;
  readonly finished: boolean;
}

/** One snapshot that a target has, of this backup. */
export interface StoredItem {
  readonly group: string;
  readonly item: string;
  readonly timeMs: number;
}

export interface SelectionRule {
  readonly snapshots: SnapshotSelection;
  readonly keep: KeepRules;
  readonly timeZone: string;
}

export function itemKey(item: Pick<SourceItem, 'group' | 'item'>): string {
  return `${item.group}@${item.item}`;
}

/** The finished items of one group that a target shall get and does not have. */
export function missingItems<T extends SourceItem>(
  items: readonly T[],
  stored: readonly StoredItem[],
  rule: SelectionRule,
): T[] {
  const finished = items.filter((item) => item.finished);
  const has = new Set(stored.map(itemKey));
  return selected(finished, stored, rule).filter((item) => !has.has(itemKey(item)));
}

function selected<T extends SourceItem>(
  finished: readonly T[],
  stored: readonly StoredItem[],
  rule: SelectionRule,
): T[] {
  switch (rule.snapshots.type) {
    case 'all':
      return [...finished];
    case 'last':
      return [...finished].sort((a, b) => b.timeMs - a.timeMs).slice(0, rule.snapshots.count);
    case 'keep':
      return keptOf(finished, stored, rule);
    default:
      return assertNever(rule.snapshots);
  }
}

/** `keep` is asked about what the group would be: what the target has and the source offers, together. */
function keptOf<T extends SourceItem>(finished: readonly T[], stored: readonly StoredItem[], rule: SelectionRule): T[] {
  const offered = new Map(finished.map((item) => [itemKey(item), item]));
  const united: (KeepCandidate & { readonly key: string })[] = [
    ...finished.map((item) => ({ key: itemKey(item), timeMs: item.timeMs, protected: item.protected, finished: true })),
    ...stored
      .filter((item) => !offered.has(itemKey(item)))
      .map((item) => ({ key: itemKey(item), timeMs: item.timeMs, protected: false, finished: true })),
  ];
  const kept: T[] = [];
  for (const { item, mark } of applyKeep(united, rule.keep, rule.timeZone)) {
    const original = offered.get(item.key);
    if (original && mark !== 'remove') kept.push(original);
  }
  return kept;
}

/**
 * The newest of every group first, then the second newest of every group: whatever moment a run ends at, each group has
 * its newest snapshots.
 */
export function backupOrder<T extends Pick<SourceItem, 'group' | 'timeMs'>>(items: readonly T[]): T[] {
  const ranks = new Map<string, number>();
  const newestFirst = [...items].sort((a, b) => b.timeMs - a.timeMs || (a.group < b.group ? -1 : 1));
  const ranked = newestFirst.map((item) => {
    const rank = ranks.get(item.group) ?? 0;
    ranks.set(item.group, rank + 1);
    return { item, rank };
  });
  return ranked.sort((a, b) => a.rank - b.rank).map(({ item }) => item);
}
