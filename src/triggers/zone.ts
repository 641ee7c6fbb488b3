/**
 * Time zones. A *local time* is what a clock on the wall shows, written as the milliseconds since the epoch at which UTC
 * shows the same; so arithmetic on it knows no summer time. `offset` = local - instant.
 */

/** The offset of a zone at an instant, both in milliseconds. Whole seconds. */
export type ZoneOffset = (instantMs: number) => number;

const dayMs = 86_400_000;

/** @throws RangeError for an unknown zone */
export function zoneOffset(timezone: string): ZoneOffset {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: timezone,
    hourCycle: 'h23',
    era: 'short',
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
  });
  return (instantMs) => {
    const wholeMs = Math.floor(instantMs / 1000) * 1000;
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of format.formatToParts(wholeMs)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second) - wholeMs;
  };
}

/** The first instant after `fromMs` and not after `toMs` at which the offset changes, to the second. */
export function nextTransition(offset: ZoneOffset, fromMs: number, toMs: number): number | undefined {
  const before = offset(fromMs);
  for (let low = fromMs; low < toMs; low += dayMs) {
    const high = Math.min(low + dayMs, toMs);
    if (offset(high) !== before) return bisect(offset, before, low, high);
  }
  return undefined;
}

/** `offset(low)` is `before`, `offset(high)` is not. */
function bisect(offset: ZoneOffset, before: number, low: number, high: number): number {
  let [last, first] = [Math.floor(low / 1000), Math.ceil(high / 1000)];
  while (first - last > 1) {
    const middle = Math.floor((first + last) / 2);
    if (offset(middle * 1000) === before) last = middle;
    else first = middle;
  }
  return first * 1000;
}
