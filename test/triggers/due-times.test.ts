import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCalendarEvent } from '../../src/triggers/calendar-parse.ts';
import { calendarTimes } from '../../src/triggers/calendar-times.ts';
import { cronFault, cronTimes } from '../../src/triggers/cron-expression.ts';
import { type DueTimes, latestDue } from '../../src/triggers/due-times.ts';
import { intervalTimes } from '../../src/triggers/interval-times.ts';
import { dueMinutes, type OracleRule, type WallClock, wallClock } from '../support/wall-clock-oracle.ts';

const dayMs = 86_400_000;

function calendar(text: string, timezone = 'UTC'): DueTimes {
  const parsed = parseCalendarEvent(text);
  if (!parsed.ok) throw new Error(parsed.why);
  return calendarTimes(parsed.event, timezone);
}

function firstDue(times: DueTimes, fromMs: number, count: number): string[] {
  const found: string[] = [];
  let at: number | undefined = fromMs;
  while (found.length < count && (at = times.after(at)) !== undefined) found.push(new Date(at).toISOString());
  return found;
}

function dueIn(times: DueTimes, fromMs: number, toMs: number): number[] {
  const found: number[] = [];
  for (let at = times.after(fromMs - 1); at !== undefined && at < toMs; at = times.after(at)) found.push(at);
  return found;
}

const all = (least: number, most: number, step = 1): number[] =>
  Array.from({ length: Math.floor((most - least) / step) + 1 }, (_, i) => least + i * step);

interface Rule {
  readonly cron: string;
  readonly calendar: string;
  readonly months?: readonly number[];
  readonly days?: readonly number[];
  readonly weekdays?: readonly number[];
  readonly hours: readonly number[];
  readonly minutes: readonly number[];
  readonly fixed: boolean;
}

const rules: readonly Rule[] = [
  { cron: '30 2 * * *', calendar: '2:30', hours: [2], minutes: [30], fixed: true },
  { cron: '0,30 1-3 * * *', calendar: '1..3:0,30', hours: [1, 2, 3], minutes: [0, 30], fixed: true },
  { cron: '0 0 * * *', calendar: 'daily', hours: [0], minutes: [0], fixed: true },
  { cron: '0 * * * *', calendar: 'hourly', hours: all(0, 23), minutes: [0], fixed: false },
  { cron: '*/20 2 * * *', calendar: '2:*/20', hours: [2], minutes: [0, 20, 40], fixed: false },
  {
    cron: '15 */6 * * mon-fri',
    calendar: 'mon..fri */6:15',
    hours: [0, 6, 12, 18],
    minutes: [15],
    weekdays: all(1, 5),
    fixed: false,
  },
  {
    cron: '5 4 1,15 3-11/2 *',
    calendar: '3..11/2-1,15 4:05',
    months: [3, 5, 7, 9, 11],
    days: [1, 15],
    hours: [4],
    minutes: [5],
    fixed: true,
  },
  { cron: '45 1 * * 0', calendar: 'sun 1:45', hours: [1], minutes: [45], weekdays: [0], fixed: true },
];

function oracleRule(rule: Rule): OracleRule {
  const has = (set: readonly number[] | undefined, value: number): boolean => set?.includes(value) ?? true;
  return {
    fixed: rule.fixed,
    matches: (wall: WallClock) =>
      has(rule.months, wall.month) &&
      has(rule.days, wall.day) &&
      has(rule.weekdays, wall.weekday) &&
      has(rule.hours, wall.hour) &&
      has(rule.minutes, wall.minute),
  };
}

describe('cron and calendar events against the wall clock', () => {
  // Changes of summer time north and south, by an hour and by half of one, at midnight, and a zone without any.
  const windows: readonly (readonly [zone: string, date: string])[] = [
    ['Europe/Berlin', '2026-03-27'],
    ['Europe/Berlin', '2026-10-23'],
    ['America/New_York', '2025-03-07'],
    ['America/New_York', '2025-10-31'],
    ['Australia/Lord_Howe', '2026-04-03'],
    ['Australia/Lord_Howe', '2026-10-02'],
    ['America/Santiago', '2026-09-04'],
    ['Africa/Cairo', '2026-04-22'],
    ['Asia/Kathmandu', '2026-12-30'],
  ];
  for (const [zone, date] of windows) {
    it(`agree in ${zone} around ${date}`, () => {
      const fromMs = Date.parse(`${date}T00:00:00Z`);
      const toMs = fromMs + 4 * dayMs;
      const show = wallClock(zone);
      for (const rule of rules) {
        const expected = dueMinutes(oracleRule(rule), show, fromMs, toMs).map((ms) => new Date(ms).toISOString());
        const iso = (times: DueTimes): string[] => dueIn(times, fromMs, toMs).map((ms) => new Date(ms).toISOString());
        expect(iso(calendar(rule.calendar, zone)), rule.calendar).toEqual(expected);
        expect(iso(cronTimes(rule.cron, zone)), rule.cron).toEqual(expected);
      }
    });
  }

  it('give the same answer from any moment', () => {
    const arbitraryMs = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) });
    const zones = fc.constantFrom('Europe/Berlin', 'Australia/Lord_Howe', 'America/New_York');
    fc.assert(
      fc.property(arbitraryMs, zones, fc.constantFrom(...rules), (ms, zone, rule) => {
        const [byCalendar, byCron] = [calendar(rule.calendar, zone).after(ms), cronTimes(rule.cron, zone).after(ms)];
        expect(byCalendar).toBe(byCron);
        expect(byCalendar).toBeGreaterThan(ms);
        // Nothing is due in between.
        const before = calendar(rule.calendar, zone).after((byCalendar ?? 0) - 1000);
        expect(before).toBe(byCalendar);
      }),
      { numRuns: 150 },
    );
  });
});

describe('calendar events', () => {
  const epoch = 0; // Thursday
  const vectors: readonly (readonly [event: string, first: readonly string[]])[] = [
    ['*:0', ['1970-01-01T01:00:00.000Z', '1970-01-01T02:00:00.000Z']],
    [
      '4..10/2:0',
      [
        '1970-01-01T04:00:00.000Z',
        '1970-01-01T06:00:00.000Z',
        '1970-01-01T08:00:00.000Z',
        '1970-01-01T10:00:00.000Z',
        '1970-01-02T04:00:00.000Z',
      ],
    ],
    ['sat', ['1970-01-03T00:00:00.000Z', '1970-01-10T00:00:00.000Z']],
    ['5/2:0', ['1970-01-01T05:00:00.000Z', '1970-01-01T07:00:00.000Z', '1970-01-01T09:00:00.000Z']],
    ['02-29', ['1972-02-29T00:00:00.000Z', '1976-02-29T00:00:00.000Z']],
    ['30', ['1970-01-01T00:30:00.000Z', '1970-01-01T01:30:00.000Z']],
    ['mon,wed 12:00:30', ['1970-01-05T12:00:30.000Z', '1970-01-07T12:00:30.000Z']],
    [
      'Saturday..Monday 06:00',
      ['1970-01-03T06:00:00.000Z', '1970-01-04T06:00:00.000Z', '1970-01-05T06:00:00.000Z', '1970-01-10T06:00:00.000Z'],
    ],
    ['2024-02-30..31', []],
    ['02-30', []],
    ['2199-12-31 23:59:59', ['2199-12-31T23:59:59.000Z']],
    ['minutely', ['1970-01-01T00:01:00.000Z']],
    ['hourly', ['1970-01-01T01:00:00.000Z']],
    ['daily', ['1970-01-02T00:00:00.000Z']],
    ['weekly', ['1970-01-05T00:00:00.000Z']],
    ['monthly', ['1970-02-01T00:00:00.000Z']],
    ['quarterly', ['1970-04-01T00:00:00.000Z', '1970-07-01T00:00:00.000Z']],
    ['semiannually', ['1970-07-01T00:00:00.000Z', '1971-01-01T00:00:00.000Z']],
    ['semi-annually', ['1970-07-01T00:00:00.000Z']],
    ['yearly', ['1971-01-01T00:00:00.000Z']],
    ['annually', ['1971-01-01T00:00:00.000Z']],
    [
      '*-*-*/10 0:0',
      ['1970-01-11T00:00:00.000Z', '1970-01-21T00:00:00.000Z', '1970-01-31T00:00:00.000Z', '1970-02-01T00:00:00.000Z'],
    ],
    ['*:*:*/30', ['1970-01-01T00:00:30.000Z', '1970-01-01T00:01:00.000Z']],
  ];
  for (const [event, first] of vectors) {
    it(event, () => {
      expect(firstDue(calendar(event), epoch, Math.max(1, first.length))).toEqual(first);
    });
  }

  it('take UTC when it is asked for, and local time otherwise', () => {
    const from = Date.UTC(2026, 6, 1);
    expect(firstDue(calendar('daily UTC', 'Asia/Tokyo'), from, 1)).toEqual(['2026-07-02T00:00:00.000Z']);
    expect(firstDue(calendar('02:30 utc', 'Asia/Tokyo'), from, 1)).toEqual(['2026-07-01T02:30:00.000Z']);
    expect(firstDue(calendar('daily', 'Asia/Tokyo'), from, 1)).toEqual(['2026-07-01T15:00:00.000Z']);
  });

  const faults: readonly (readonly [event: string, why: RegExp])[] = [
    ['', /needs weekdays/],
    ['mun 12:00', /`mun` is no weekday/],
    ['sat 12:00 13:00', /nothing is expected after `12:00`/],
    ['25:00', /hour `25` is not within 0\.\.23/],
    ['10..5:00', /runs backwards/],
    ['*/0:00', /step of 0/],
    ['12:00:00:00', /is no time/],
    ['13-01', /month `13` is not within/],
    ['2200-01-01', /year `2200` is not within/],
    ['1-2-3-4', /is no date/],
    ['mon..tue..wed', /is no weekday/],
    ['12:3x', /`3x` is no minute/],
    ['1,,2', /`` is no minute/],
  ];
  for (const [event, why] of faults) {
    it(`refuse ${JSON.stringify(event)}`, () => {
      const parsed = parseCalendarEvent(event);
      expect(parsed.ok ? '' : parsed.why).toMatch(why);
    });
  }
});

describe('cron expressions', () => {
  it('take seconds', () => {
    expect(firstDue(cronTimes('*/20 0 0 * * *', 'UTC'), 0, 4)).toEqual([
      '1970-01-01T00:00:20.000Z',
      '1970-01-01T00:00:40.000Z',
      '1970-01-02T00:00:00.000Z',
      '1970-01-02T00:00:20.000Z',
    ]);
  });

  it('say what is wrong, and never what is right', () => {
    expect(cronFault('61 * * * *')).toMatch(/minute/);
    expect(cronFault('* * * *')).toBeDefined();
    expect(cronFault('0 3 * * sun')).toBeUndefined();
    expect(cronTimes('0 0 30 2 *', 'UTC').after(0)).toBeUndefined();
  });
});

describe('the latest due time', () => {
  it('is the last of those that one by one would find', () => {
    const times = fc.oneof(
      fc
        .integer({ min: 1, max: 5000 })
        .chain((period) =>
          fc.integer({ min: -9999, max: 9999 }).map((start): DueTimes => intervalTimes(period, start)),
        ),
      fc.uniqueArray(fc.integer({ min: -5000, max: 5000 }), { maxLength: 12 }).map((list): DueTimes => {
        const sorted = list.sort((a, b) => a - b);
        return { after: (ms) => sorted.find((due) => due > ms) };
      }),
    );
    fc.assert(
      fc.property(times, fc.integer({ min: -6000, max: 6000 }), fc.nat(6000), (due, after, span) => {
        const walked = dueIn(due, after + 1, after + span + 1).at(-1);
        expect(latestDue(due, after, after + span)).toBe(walked);
      }),
    );
  });
});
