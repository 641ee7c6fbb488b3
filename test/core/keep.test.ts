import { describe, expect, it } from 'vitest';
import { applyKeep, type KeepCandidate, type KeepRules } from '../../src/core/keep.ts';

interface Named extends KeepCandidate {
  readonly name: string;
}

function candidate(name: string, options: Partial<KeepCandidate> = {}): Named {
  const timeMs = Date.parse(name.includes('T') ? `${name}Z` : `${name}T11:59:15Z`);
  return { name, timeMs, protected: false, finished: true, ...options };
}

function removed(items: readonly Named[], rules: KeepRules, zone = 'UTC'): string[] {
  return applyKeep(items, rules, zone)
    .filter(({ mark }) => mark === 'remove')
    .map(({ item }) => item.name)
    .sort();
}

function kept(items: readonly Named[], rules: KeepRules, zone = 'UTC'): string[] {
  return applyKeep(items, rules, zone)
    .filter(({ mark }) => mark !== 'remove')
    .map(({ item }) => item.name)
    .sort();
}

const four = ['2019-12-02', '2019-12-03', '2019-12-04', '2019-12-04T12:59:15'].map((name) => candidate(name));
const nine = [
  ...['2018-11-15', '2019-11-15', '2019-11-21', '2019-11-22', '2019-11-29'],
  ...['2019-12-01', '2019-12-02', '2019-12-03', '2019-12-04'],
].map((name) => candidate(name));

describe('keep rules, the vectors of Proxmox Backup Server', () => {
  const rows: readonly [string, readonly Named[], KeepRules, readonly string[]][] = [
    ['no rule keeps everything', four, {}, []],
    ['zero counts are no rule', four, { last: 0, daily: 0 }, []],
    ['last 1', four, { last: 1 }, ['2019-12-02', '2019-12-03', '2019-12-04']],
    ['last 2 and daily 2', four, { last: 2, daily: 2 }, []],
    ['daily 3', four, { daily: 3 }, ['2019-12-04']],
    ['daily 2', four, { daily: 2 }, ['2019-12-02', '2019-12-04']],
    ['weekly 5', four, { weekly: 5 }, ['2019-12-02', '2019-12-03', '2019-12-04']],
  ];
  it.each(rows)('%s', (_name, items, rules, expected) => {
    expect(removed(items, rules)).toEqual(expected);
  });

  const combined: readonly [string, KeepRules, readonly string[]][] = [
    ['daily 1, weekly 1', { daily: 1, weekly: 1 }, ['2019-12-01', '2019-12-04']],
    ['daily 1, weekly 1, monthly 1', { daily: 1, weekly: 1, monthly: 1 }, ['2019-11-22', '2019-12-01', '2019-12-04']],
    ['monthly 1, yearly 1', { monthly: 1, yearly: 1 }, ['2018-11-15', '2019-12-04']],
  ];
  it.each(combined)('nine snapshots: %s', (_name, rules, expected) => {
    expect(kept(nine, rules)).toEqual(expected);
  });

  const guarded = [
    candidate('2019-12-02T09:39:15', { protected: true }),
    candidate('2019-12-02T10:39:15'),
    candidate('2019-12-02T10:49:15'),
    candidate('2019-12-02T10:59:15', { protected: true }),
  ];
  it.each([{ last: 1 }, { hourly: 1 }])('protected snapshots do not count: %o', (rules) => {
    expect(removed(guarded, rules)).toEqual(['2019-12-02T10:39:15']);
  });
});

describe('keep rules beyond the vectors', () => {
  it('keeps an unfinished snapshot only while nothing finished is newer', () => {
    const newest = candidate('2019-12-05', { finished: false });
    const middle = candidate('2019-12-03T12:00:00', { finished: false });
    const decisions = applyKeep([...four, newest, middle], { last: 9 }, 'UTC');
    expect(decisions.find(({ item }) => item === newest)?.mark).toBe('keep-partial');
    expect(decisions.find(({ item }) => item === middle)?.mark).toBe('remove');
  });

  it('keeps what is within the span of the newest, and lets later rules go on from there', () => {
    expect(kept(nine, { withinMs: 2 * 86_400_000 })).toEqual(['2019-12-02', '2019-12-03', '2019-12-04']);
    expect(kept(nine, { withinMs: 2 * 86_400_000, monthly: 1 })).toContain('2019-11-29');
  });

  it('counts days in the given time zone', () => {
    const evening = candidate('2019-12-03T23:30:00');
    const night = candidate('2019-12-04T00:30:00');
    expect(kept([evening, night], { daily: 2 }, 'UTC')).toHaveLength(2);
    expect(kept([evening, night], { daily: 2 }, 'Europe/Paris')).toEqual(['2019-12-04T00:30:00']);
  });

  it('takes the ISO week year at the turn of the year', () => {
    const items = ['2018-12-31', '2019-01-06', '2018-12-30'].map((name) => candidate(name));
    expect(kept(items, { weekly: 5 })).toEqual(['2018-12-30', '2019-01-06']);
  });

  it('refuses an unknown time zone', () => {
    expect(() => applyKeep(four, { daily: 1 }, 'Mars/Olympus')).toThrow(RangeError);
  });
});
