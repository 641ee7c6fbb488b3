/** Which of the three kinds of schedule a text is: `1d` (interval), `0 3 * * *` (cron), `sat 12:00` (calendar event). */
import { parseDuration } from '../core/units.ts';
import { parseCalendarEvent } from './calendar-parse.ts';
import { cronFault } from './cron-expression.ts';
import type { TriggerKind } from './trigger.ts';

export type ParsedSchedule =
  | { readonly ok: true; readonly kind: Extract<TriggerKind, 'cron' | 'interval' | 'calendar' | 'startup'> }
  | { readonly ok: false; readonly why: string };

/** The shortest interval: a second, like the finest cron expression. */
const shortestMs = 1000;

/** Five or more fields are cron, a number with a unit is an interval, everything else a PBS calendar event. */
export function parseSchedule(text: string): ParsedSchedule {
  const written = text.trim();
  if (written === '') return { ok: false, why: 'it is empty' };
  if (written === 'startup') return { ok: true, kind: 'startup' };
  const interval = parseDuration(written);
  if (interval !== undefined) {
    return interval >= shortestMs ? { ok: true, kind: 'interval' } : { ok: false, why: 'an interval is at least 1s' };
  }
  if (written.split(/\s+/).length >= 5) {
    const why = cronFault(written);
    return why === undefined ? { ok: true, kind: 'cron' } : { ok: false, why };
  }
  if (/^\d+[a-z]+$/i.test(written)) return { ok: false, why: 'an interval ends with s, m, h, d or w' };
  const calendar = parseCalendarEvent(written);
  return calendar.ok ? { ok: true, kind: 'calendar' } : { ok: false, why: calendar.why };
}
