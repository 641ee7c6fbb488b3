/**
 * An independent answer to "when is this due": walks through every minute of real time, asks `Intl` what the wall clock
 * shows, and compares the fields with sets of numbers. Slow and simple on purpose; knows nothing of offsets.
 */

export interface WallClock {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

export interface OracleRule {
  readonly matches: (wall: WallClock) => boolean;
  /** A fixed time of the day: due once when shown twice, due at the jump when jumped over. */
  readonly fixed: boolean;
}

const minuteMs = 60_000;

export function wallClock(timezone: string): (ms: number) => WallClock {
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: timezone, hourCycle: 'h23', weekday: 'short' },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' },
  });
  const known = new Map<number, WallClock>();
  const show = (ms: number): WallClock => {
    const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
    return {
      year: Number(parts['year']),
      month: Number(parts['month']),
      day: Number(parts['day']),
      hour: Number(parts['hour']),
      minute: Number(parts['minute']),
      weekday: ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'].indexOf(parts['weekday'] ?? ''),
    };
  };
  return (ms) => {
    const wall = known.get(ms) ?? show(ms);
    known.set(ms, wall);
    return wall;
  };
}

/** All due minutes in [fromMs, toMs), both whole minutes. */
export function dueMinutes(rule: OracleRule, show: (ms: number) => WallClock, fromMs: number, toMs: number): number[] {
  const due: number[] = [];
  const shown = new Set<string>();
  let previous = show(fromMs - minuteMs);
  // What was shown in the last hours counts as shown.
  for (let ms = fromMs - 180 * minuteMs; ms < fromMs; ms += minuteMs) shown.add(key(show(ms)));
  for (let ms = fromMs; ms < toMs; ms += minuteMs) {
    const wall = show(ms);
    const skipped = between(previous, wall);
    const jumpedOver = rule.fixed && skipped.some((one) => sameDay(one, wall) && rule.matches(one));
    const again = rule.fixed && shown.has(key(wall));
    if (jumpedOver || (rule.matches(wall) && !again)) due.push(ms);
    shown.add(key(wall));
    previous = wall;
  }
  return due;
}

/** Wall minutes that the clock jumped over between two shown a real minute apart. */
function between(before: WallClock, after: WallClock): WallClock[] {
  const [from, to] = [asUtc(before) + minuteMs, asUtc(after)];
  const skipped: WallClock[] = [];
  for (let ms = from; ms < to; ms += minuteMs) skipped.push(fromUtc(ms));
  return skipped;
}

function asUtc({ year, month, day, hour, minute }: WallClock): number {
  return Date.UTC(year, month - 1, day, hour, minute);
}

function fromUtc(ms: number): WallClock {
  const date = new Date(ms);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    weekday: date.getUTCDay(),
  };
}

function sameDay(a: WallClock, b: WallClock): boolean {
  return a.year === b.year && a.month === b.month && a.day === b.day;
}

function key(wall: WallClock): string {
  return JSON.stringify(wall);
}
