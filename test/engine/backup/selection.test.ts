import { describe, expect, it } from 'vitest';
import {
  backupOrder,
  missingItems,
  type SelectionRule,
  type SourceItem,
} from '../../../src/engine/backup/selection.ts';

const dayMs = 86_400_000;

function item(group: string, day: number, change: Partial<SourceItem> = {}): SourceItem {
  return { group, item: String(day), timeMs: day * dayMs, protected: false, finished: true, ...change };
}

const rule: SelectionRule = { snapshots: { type: 'all' }, keep: {}, timeZone: 'UTC' };

function days(items: readonly SourceItem[]): string[] {
  return items.map((each) => each.item).sort();
}

describe('which items a target gets', () => {
  const items = [1, 2, 3, 4].map((day) => item('a', day));

  it('gets all finished ones that it does not have', () => {
    const stored = [items[1]].flatMap((each) => each ?? []);
    expect(days(missingItems([...items, item('a', 5, { finished: false })], stored, rule))).toEqual(['1', '3', '4']);
  });

  it('gets the newest so many, and nothing for those it has of them', () => {
    const last = { ...rule, snapshots: { type: 'last', count: 2 } } as const;
    expect(days(missingItems(items, [], last))).toEqual(['3', '4']);
    expect(days(missingItems(items, items.slice(3), last))).toEqual(['3']);
  });

  it('gets what keep would keep, protected ones always', () => {
    const keep = { ...rule, snapshots: { type: 'keep' }, keep: { last: 1 } } as const;
    expect(days(missingItems(items, [], keep))).toEqual(['4']);
    expect(days(missingItems([item('a', 1, { protected: true }), ...items.slice(1)], [], keep))).toEqual(['1', '4']);
  });

  it('asks keep about what the group will be: a newer stored snapshot makes an older one superfluous', () => {
    const keep = { ...rule, snapshots: { type: 'keep' }, keep: { last: 1 } } as const;
    expect(missingItems(items, [{ group: 'a', item: '9', timeMs: 9 * dayMs }], keep)).toEqual([]);
  });

  it('keeps everything without rules', () => {
    expect(missingItems(items, [], { ...rule, snapshots: { type: 'keep' } })).toHaveLength(4);
  });
});

it('takes the newest of every group before the second newest of any', () => {
  const ordered = backupOrder([item('a', 1), item('a', 9), item('a', 10), item('b', 2), item('b', 3), item('c', 1)]);
  expect(ordered.map(({ group, item: day }) => `${group}${day}`)).toEqual(['a10', 'b3', 'c1', 'a9', 'b2', 'a1']);
});
