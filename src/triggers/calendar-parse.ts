/**
 * Calendar events as Proxmox Backup Server writes them:
 * `[WEEKDAYS] [[YEAR-]MONTH-DAY] [[HOUR:]MINUTE[:SECOND]] [UTC]`, at least one part, or a keyword.
 */

/** Values of one field in rising order; `any`: written with `*` or a step. */
export interface Field {
  readonly values: readonly number[];
  readonly any: boolean;
}

export interface CalendarEvent {
  /** 0 is Sunday. */
  readonly weekdays: ReadonlySet<number>;
  readonly years: Field;
  readonly months: Field;
  readonly days: Field;
  readonly hours: Field;
  readonly minutes: Field;
  readonly seconds: Field;
  readonly utc: boolean;
}

export type ParsedCalendar =
  { readonly ok: true; readonly event: CalendarEvent } | { readonly ok: false; readonly why: string };

const keywords: Readonly<Record<string, string>> = {
  minutely: '*:*',
  hourly: '*:00',
  daily: '00:00',
  weekly: 'mon 00:00',
  monthly: '*-01 00:00',
  yearly: '01-01 00:00',
  annually: '01-01 00:00',
  quarterly: '01,04,07,10-01 00:00',
  semiannually: '01,07-01 00:00',
  'semi-annually': '01,07-01 00:00',
};

const weekdayNames = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const firstYear = 1970;
/** PBS accepts years up to here. */
const lastYear = 2199;

class CalendarFault extends Error {}

export function parseCalendarEvent(text: string): ParsedCalendar {
  try {
    return { ok: true, event: parse(text.trim().toLowerCase()) };
  } catch (error) {
    if (error instanceof CalendarFault) return { ok: false, why: error.message };
    throw error;
  }
}

function parse(text: string): CalendarEvent {
  const tokens = (keywords[text.replace(/\s+utc$/, '')] ?? text.replace(/\s+utc$/, '')).split(/\s+/);
  const utc = /\sutc$/.test(text);
  const weekdays =
    tokens[0] !== undefined && /^[a-z]/.test(tokens[0]) ? parseWeekdays(tokens.shift() ?? '') : undefined;
  const date = tokens[0]?.includes('-') ? tokens.shift() : undefined;
  const time = tokens.shift();
  if (tokens.length > 0) throw new CalendarFault(`nothing is expected after \`${time ?? ''}\``);
  if (time === '' || (weekdays === undefined && date === undefined && time === undefined)) {
    throw new CalendarFault('it needs weekdays, a date or a time');
  }
  return { weekdays: weekdays ?? new Set([0, 1, 2, 3, 4, 5, 6]), ...parseDate(date), ...parseTime(time), utc };
}

function parseWeekdays(text: string): ReadonlySet<number> {
  const days = new Set<number>();
  for (const part of text.split(',')) {
    const [from, to = from, ...more] = part.split('..').map(weekday);
    if (from === undefined || to === undefined || more.length > 0) throw new CalendarFault(`\`${part}\` is no weekday`);
    for (let day = from; ; day = (day + 1) % 7) {
      days.add(day);
      if (day === to) break;
    }
  }
  return days;
}

function weekday(text: string): number {
  const index = weekdayNames.findIndex((name) => name === text || (text.length === 3 && name.startsWith(text)));
  if (index < 0) throw new CalendarFault(`\`${text}\` is no weekday (mon, tue, ... or in full) and no keyword`);
  return index;
}

function parseDate(text: string | undefined): Pick<CalendarEvent, 'years' | 'months' | 'days'> {
  const parts = text?.split('-') ?? ['*', '*'];
  if (parts.length < 2 || parts.length > 3) throw new CalendarFault(`\`${text ?? ''}\` is no date: [YEAR-]MONTH-DAY`);
  const [day = '*', month = '*', year = '*'] = parts.reverse();
  return {
    years: field('year', year, firstYear, lastYear),
    months: field('month', month, 1, 12),
    days: field('day', day, 1, 31),
  };
}

/** A time without `:` is a minute of every hour; without a time the event is at midnight. */
function parseTime(text: string | undefined): Pick<CalendarEvent, 'hours' | 'minutes' | 'seconds'> {
  const parts = text === undefined ? ['0', '0'] : text.includes(':') ? text.split(':') : ['*', text];
  if (parts.length > 3) throw new CalendarFault(`\`${text ?? ''}\` is no time: [HOUR:]MINUTE[:SECOND]`);
  const [hour = '*', minute = '0', second = '0'] = parts;
  return {
    hours: field('hour', hour, 0, 23),
    minutes: field('minute', minute, 0, 59),
    seconds: field('second', second, 0, 59),
  };
}

function field(name: string, text: string, least: number, most: number): Field {
  const parts = text.split(',').map((part) => fieldPart(name, part, least, most));
  const values = new Set(parts.flatMap((part) => part.values));
  return { values: [...values].sort((a, b) => a - b), any: parts.some((part) => part.any) };
}

function fieldPart(name: string, part: string, least: number, most: number): Field {
  const match = /^(?:(\*)|(\d{1,4})(?:\.\.(\d{1,4}))?)(?:\/(\d{1,4}))?$/.exec(part);
  if (!match) throw new CalendarFault(`\`${part}\` is no ${name}`);
  const [, star, from, to, step] = match;
  const any = star !== undefined || step !== undefined;
  const start = star === undefined ? Number(from) : least;
  const end = to === undefined ? (any ? most : start) : Number(to);
  if (start < least || end > most) throw new CalendarFault(`the ${name} \`${part}\` is not within ${least}..${most}`);
  if (start > end) throw new CalendarFault(`the ${name} \`${part}\` runs backwards`);
  if (step !== undefined && Number(step) === 0) throw new CalendarFault(`the ${name} \`${part}\` has a step of 0`);
  const values: number[] = [];
  for (let value = start; value <= end; value += Number(step ?? 1)) values.push(value);
  return { values, any };
}
