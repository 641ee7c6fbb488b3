/** Who goes first, and where a moved task lands. Pure. */
import type { TaskId } from '../../core/ids.ts';
import { comparePriority, type Priority } from '../task.ts';
import type { Place } from './store.ts';

/** What decides about the place of a waiting task. */
export interface Placed {
  readonly id: TaskId;
  readonly priority: Priority;
  readonly position: number;
}

/** Negative when `a` goes before `b`. Total: ids break ties that only a damaged database could hold. */
export function compareOrder(a: Placed, b: Placed): number {
  return comparePriority(a.priority, b.priority) || a.position - b.position || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/**
 * Which waiting tasks get another priority or position so that the task `id` lands at `place`: usually it alone; all of
 * its new priority when no number is left between two neighbours. Empty when the other task of `place` does not wait.
 */
export function movedTo(id: TaskId, place: Place, waiting: readonly Placed[]): readonly Placed[] {
  const moved = waiting.find((entry) => entry.id === id);
  const anchorId = place === 'first' || place === 'last' ? id : 'before' in place ? place.before : place.after;
  const anchor = waiting.find((entry) => entry.id === anchorId);
  if (!moved || !anchor) return [];
  const { priority } = anchor;
  const peers = waiting
    .filter((entry) => entry.id !== id && comparePriority(entry.priority, priority) === 0)
    .sort(compareOrder);
  const index = placeIndex(place, anchorId === id ? undefined : peers.indexOf(anchor), peers.length);
  if (index === undefined) return [moved];
  const position = between(peers[index - 1]?.position, peers[index]?.position);
  if (position !== undefined) return [{ id, priority, position }];
  peers.splice(index, 0, moved);
  return peers.map((entry, at) => ({ id: entry.id, priority, position: at + 1 }));
}

/** Index among the others of the priority; `undefined` when a task is to be placed next to itself. */
function placeIndex(place: Place, anchorIndex: number | undefined, peers: number): number | undefined {
  if (place === 'first') return 0;
  if (place === 'last') return peers;
  if (anchorIndex === undefined) return undefined;
  return 'before' in place ? anchorIndex : anchorIndex + 1;
}

function between(lower: number | undefined, upper: number | undefined): number | undefined {
  if (lower === undefined) return upper === undefined ? 1 : upper - 1;
  if (upper === undefined) return lower + 1;
  const middle = (lower + upper) / 2;
  return middle > lower && middle < upper ? middle : undefined;
}
