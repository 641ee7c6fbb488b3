/** A schedule as a function of time. Pure: what triggers, tests and forecasts share. */

export interface DueTimes {
  /** The first due time strictly after `ms`; `undefined` when there is none any more. Whole seconds for cron and calendar. */
  after(ms: number): number | undefined;
}

/** The last due time in (`afterMs`, `untilMs`], found without walking through all of them. */
export function latestDue(times: DueTimes, afterMs: number, untilMs: number): number | undefined {
  const first = times.after(afterMs);
  if (first === undefined || first > untilMs) return undefined;
  let [low, high] = [first, untilMs];
  // Invariant: `low` is a due time; nothing in (`high`, `untilMs`] is.
  while (high > low) {
    const middle = low + Math.floor((high - low) / 2);
    const next = times.after(middle);
    if (next !== undefined && next <= high) low = next;
    else if (middle === low) break;
    else high = middle;
  }
  return low;
}
