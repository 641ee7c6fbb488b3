/**
 * Which snapshots may rely on something declared damaged. A damaged entry puts every snapshot in doubt whose writer had
 * not seen it when it committed, be it earlier or at the same time: which one it hurts cannot be told from the journal. A
 * mend entry settles only the doubts that its writer knew of.
 */
import type { EntryId, SnapshotId } from '../../core/ids.ts';
import type { DecodedEntry } from '../format/entry.ts';
import { predecessorsOf } from './journal-order.ts';

/** A damaged entry beyond the checkpoint; `covered`: some that the checkpoint covers. */
export type Doubt = EntryId | 'covered';

const nothing: ReadonlySet<EntryId> = new Set();

/** Which damaged entries of a journal the writer of each entry had seen. */
export class SeenDamage {
  readonly all: readonly EntryId[];
  readonly #seen = new Map<EntryId, ReadonlySet<EntryId>>();

  /** @param entries each after all that its writer had seen. */
  constructor(entries: readonly DecodedEntry[]) {
    const damaged = new Set(entries.filter((entry) => entry.body.kind === 'damaged').map((entry) => entry.id));
    this.all = [...damaged];
    if (damaged.size === 0) return;
    for (const entry of entries) {
      let seen = nothing;
      for (const id of predecessorsOf(entry)) {
        seen = union(seen, this.#seen.get(id) ?? nothing);
        if (damaged.has(id)) seen = union(seen, new Set([id]));
      }
      this.#seen.set(entry.id, seen);
    }
  }

  seenBy(entry: DecodedEntry): readonly EntryId[] {
    return [...(this.#seen.get(entry.id) ?? nothing)];
  }

  unseenBy(entry: DecodedEntry): readonly EntryId[] {
    const seen = this.#seen.get(entry.id) ?? nothing;
    return this.all.filter((id) => !seen.has(id));
  }
}

export class Doubts {
  readonly #open = new Map<SnapshotId, Set<Doubt>>();

  raise(snapshot: SnapshotId, doubts: readonly Doubt[]): void {
    if (doubts.length === 0) return;
    this.#open.set(snapshot, new Set([...(this.#open.get(snapshot) ?? []), ...doubts]));
  }

  /** `seen`: what the writer that found the snapshot whole, or made it whole, knew of. */
  settle(snapshot: SnapshotId, seen: readonly EntryId[]): void {
    const doubts = this.#open.get(snapshot);
    for (const doubt of ['covered', ...seen] as const) doubts?.delete(doubt);
    if (doubts?.size === 0) this.#open.delete(snapshot);
  }

  open(): ReadonlySet<SnapshotId> {
    return new Set(this.#open.keys());
  }
}

/** One of the two where it holds the other: most entries share one set. */
function union(a: ReadonlySet<EntryId>, b: ReadonlySet<EntryId>): ReadonlySet<EntryId> {
  if ([...b].every((id) => a.has(id))) return a;
  if ([...a].every((id) => b.has(id))) return b;
  return new Set([...a, ...b]);
}
