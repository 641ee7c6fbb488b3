/**
 * When a calendar event is due. The wall clock is followed from one change of the offset to the next: within such a
 * stretch, local time runs evenly. For changes of summer time see `cron-expression.ts`: the rules are the same.
 */
import type { CalendarEvent, Field } from './calendar-parse.ts';
import type { DueTimes } from './due-times.ts';
import { nextTransition, zoneOffset } from './zone.ts';

const dayMs = 86_400_000;

export function calendarTimes(event: CalendarEvent, timezone: string): DueTimes {
  if (event.utc) return { after: (ms) => nextLocal(event, secondAfter(ms)) };
  const offset = zoneOffset(timezone);
  const fixed = !event.hours.any && !event.minutes.any && !event.seconds.any;
  return {
    after(ms) {
      let instant = secondAfter(ms);
      // Fixed times that the last change of the offset made the clock show again were due the first time.
      let repeatedUntil = fixed ? repeatedLocalUntil(offset, instant) : -Infinity;
      for (;;) {
        const ahead = offset(instant);
        const local = nextLocal(event, Math.max(instant + ahead, repeatedUntil));
        if (local === undefined) return undefined;
        const change = nextTransition(offset, instant, local - ahead);
        if (change === undefined) return local - ahead;
        const [before, after] = [change + ahead, change + offset(change)];
        if (fixed && local < after && sameDay(local, after)) return change;
        instant = change;
        repeatedUntil = fixed && after < before ? before : -Infinity;
      }
    },
  };
}

/** The end, in local time, of the repeated stretch that `instant` is in; `-Infinity` when it is in none. */
function repeatedLocalUntil(offset: (ms: number) => number, instant: number): number {
  const ahead = offset(instant);
  const change = nextTransition(offset, instant - dayMs, instant);
  if (change === undefined) return -Infinity;
  const before = change + offset(change - 1000);
  return before > change + ahead ? before : -Infinity;
}

/** The first match at or after a local time, on a clock without summer time. Looks at whole days, then within one. */
function nextLocal(event: CalendarEvent, fromMs: number): number | undefined {
  const from = new Date(fromMs);
  const fromDay = Math.floor(fromMs / dayMs) * dayMs;
  for (const year of atLeast(event.years, from.getUTCFullYear())) {
    for (const month of event.months.values) {
      if (Date.UTC(year, month, 1) <= fromDay) continue;
      for (const day of event.days.values) {
        const dayStart = Date.UTC(year, month - 1, day);
        if (dayStart < fromDay) continue;
        const date = new Date(dayStart);
        if (date.getUTCMonth() !== month - 1) break; // such as 30 February
        if (!event.weekdays.has(date.getUTCDay())) continue;
        const time = timeOfDay(event, Math.max(0, fromMs - dayStart) / 1000);
        if (time !== undefined) return dayStart + time * 1000;
      }
    }
  }
  return undefined;
}

/** The first matching second of a day that is not before `from`. */
function timeOfDay(event: CalendarEvent, from: number): number | undefined {
  for (const hour of atLeast(event.hours, Math.floor(from / 3600))) {
    for (const minute of event.minutes.values) {
      const start = hour * 3600 + minute * 60;
      if (start + 59 < from) continue;
      for (const second of event.seconds.values) if (start + second >= from) return start + second;
    }
  }
  return undefined;
}

function atLeast({ values }: Field, least: number): readonly number[] {
  return values.filter((value) => value >= least);
}

function secondAfter(ms: number): number {
  return (Math.floor(ms / 1000) + 1) * 1000;
}

function sameDay(a: number, b: number): boolean {
  return Math.floor(a / dayMs) === Math.floor(b / dayMs);
}
