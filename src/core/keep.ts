/**
 * Which snapshots of one group `keep` keeps: Proxmox Backup Server's retention rules, plus `within`. Pure: what a
 * backup need not copy because the next prune would drop it, and what a prune drops, come from this one function.
 */

/** Counts of 1 or more; absent or 0 means that the rule is not used. No rule at all keeps everything. */
export interface KeepRules {
  readonly last?: number | undefined;
  readonly hourly?: number | undefined;
  readonly daily?: number | undefined;
  readonly weekly?: number | undefined;
  readonly monthly?: number | undefined;
  readonly yearly?: number | undefined;
  /** Everything that is at most this much older than the newest finished snapshot of the group, in milliseconds. */
  readonly withinMs?: number | undefined;
}

export interface KeepCandidate {
  /** When the snapshot was taken, in milliseconds since the epoch. */
  readonly timeMs: number;
  /** Never removed, and counted by no rule. */
  readonly protected: boolean;
  /** Unfinished ones take part in no rule; only the newest of the group is spared, when it is unfinished. */
  readonly finished: boolean;
}

export type KeepMark = 'keep' | 'keep-partial' | 'protected' | 'remove';

export interface KeepDecision<T> {
  readonly item: T;
  readonly mark: KeepMark;
}

type Period = 'last' | 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly';
const periods: readonly Period[] = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'];

/** The rules in use; an empty answer means that everything is kept. */
export function keepsEverything(rules: KeepRules): boolean {
  return (rules.withinMs ?? 0) <= 0 && periods.every((period) => (rules[period] ?? 0) <= 0);
}

/**
 * One decision per item, newest first. `timeZone` is an IANA name: days, weeks and months are those of the people who
 * read the calendar. A protected snapshot is never removed. @throws RangeError for an unknown time zone.
 */
export function applyKeep<T extends KeepCandidate>(
  items: readonly T[],
  rules: KeepRules,
  timeZone: string,
): readonly KeepDecision<T>[] {
  const sorted = [...items].sort((a, b) => b.timeMs - a.timeMs);
  if (keepsEverything(rules)) return sorted.map((item) => ({ item, mark: item.protected ? 'protected' : 'keep' }));
  const marks = new Map<T, KeepMark>();
  markUnfinished(sorted, marks);
  markWithin(sorted, marks, rules.withinMs ?? 0);
  const calendar = calendarOf(timeZone);
  for (const period of periods) {
    const count = rules[period] ?? 0;
    if (count > 0) markPeriod(sorted, marks, count, (item) => calendar(period, item.timeMs));
  }
  return sorted.map((item) => ({ item, mark: item.protected ? 'protected' : (marks.get(item) ?? 'remove') }));
}

function markUnfinished<T extends KeepCandidate>(sorted: readonly T[], marks: Map<T, KeepMark>): void {
  sorted.forEach((item, rank) => {
    if (!item.finished) marks.set(item, rank === 0 ? 'keep-partial' : 'remove');
  });
}

function markWithin<T extends KeepCandidate>(sorted: readonly T[], marks: Map<T, KeepMark>, withinMs: number): void {
  const newest = sorted.find((item) => item.finished);
  if (withinMs <= 0 || !newest) return;
  for (const item of sorted) {
    if (!marks.has(item) && !item.protected && newest.timeMs - item.timeMs <= withinMs) marks.set(item, 'keep');
  }
}

function markPeriod<T extends KeepCandidate>(
  sorted: readonly T[],
  marks: Map<T, KeepMark>,
  count: number,
  idOf: (item: T) => string,
): void {
  const covered = new Set(sorted.filter((item) => marks.get(item) === 'keep').map(idOf));
  const used = new Set<string>();
  for (const item of sorted) {
    if (marks.has(item)) continue;
    if (item.protected) {
      marks.set(item, 'protected');
      continue;
    }
    const id = idOf(item);
    if (covered.has(id)) continue;
    if (used.has(id)) {
      marks.set(item, 'remove');
      continue;
    }
    if (used.size >= count) return;
    used.add(id);
    marks.set(item, 'keep');
  }
}

function calendarOf(timeZone: string): (period: Period, timeMs: number) => string {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
  });
  return (period, timeMs) => {
    if (period === 'last') return String(timeMs);
    const parts = new Map(format.formatToParts(timeMs).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
    const [year, month, day] = [part('year'), part('month'), part('day')];
    switch (period) {
      case 'hourly':
        return [year, month, day, part('hour')].join('/');
      case 'daily':
        return [year, month, day].join('/');
      case 'weekly':
        return isoWeek(year, month, day);
      case 'monthly':
        return [year, month].join('/');
      case 'yearly':
        return String(year);
    }
  };
}

/** ISO 8601 week year and week (`%G/%V`): the week belongs to the year of its Thursday. */
function isoWeek(year: number, month: number, day: number): string {
  const dayMs = 86_400_000;
  const date = Date.UTC(year, month - 1, day);
  const weekday = (new Date(date).getUTCDay() + 6) % 7;
  const thursday = new Date(date + (3 - weekday) * dayMs);
  const weekYear = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(weekYear, 0, 1)) / (7 * dayMs)) + 1;
  return `${String(weekYear)}/${String(week)}`;
}
