/** The order in which entries are folded. */
import type { EntryId } from '../../core/ids.ts';
import type { DecodedEntry } from '../format/entry.ts';

/** The entries that the writer of this one is known to have seen last: its own previous one, and the heads of others. */
export function predecessorsOf(entry: DecodedEntry): ReadonlySet<EntryId> {
  const seen = new Set<EntryId>((entry.body.base?.heads ?? []).map((head) => head.id));
  if (entry.previous !== null) seen.add(entry.previous);
  return seen;
}

/**
 * Every entry after all that its writer had seen; concurrent ones by id. Clocks decide nothing. Entries name each other
 * by hash, so there is no circle; chains may be as long as the journal, so there is no recursion.
 */
export function inOrder(entries: readonly DecodedEntry[]): DecodedEntry[] {
  const present = new Set<EntryId>(entries.map((entry) => entry.id));
  const waitsFor = new Map<EntryId, number>();
  const followers = new Map<EntryId, DecodedEntry[]>();
  for (const entry of entries) {
    const before = [...predecessorsOf(entry)].filter((id) => present.has(id));
    waitsFor.set(entry.id, before.length);
    for (const id of before) {
      const known = followers.get(id);
      if (known) known.push(entry);
      else followers.set(id, [entry]);
    }
  }
  const ordered: DecodedEntry[] = [];
  let next = entries.filter((entry) => waitsFor.get(entry.id) === 0);
  while (next.length > 0) {
    const level = next.sort((a, b) => (a.id < b.id ? -1 : 1));
    next = [];
    for (const entry of level) {
      ordered.push(entry);
      for (const follower of followers.get(entry.id) ?? []) {
        const left = (waitsFor.get(follower.id) ?? 0) - 1;
        waitsFor.set(follower.id, left);
        if (left === 0) next.push(follower);
      }
    }
  }
  return ordered;
}
