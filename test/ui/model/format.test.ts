import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ago, bytes, duration, plural, sentenceCase } from '../../../ui/src/model/format.ts';

const hour = 3_600_000;

describe('bytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [1536, '1.50 KiB'],
    [10 * 1024, '10.0 KiB'],
    [1023.4 * 1024, '1023 KiB'],
    [1023.9 * 1024, '1.00 MiB'],
    [2 ** 40, '1.00 TiB'],
    [2 ** 60, '1024 PiB'],
  ])('%d reads %s', (count, text) => {
    expect(bytes(count)).toBe(text);
  });

  it('never shows more than four digits before the unit', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (count) => {
        expect(bytes(count)).toMatch(/^(\d{1,4}|\d\.\d\d|\d\d\.\d) ([KMGTP]i)?B$/);
      }),
    );
  });
});

describe('duration', () => {
  it.each([
    [0, '0 s'],
    [80, '0.1 s'],
    [59_400, '59 s'],
    [200_000, '3 min 20 s'],
    [2 * hour + 5 * 60_000, '2 h 05 min'],
    [76 * hour, '3 d 4 h'],
  ])('%d ms read %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });
});

describe('ago', () => {
  it.each([
    [0, 'just now'],
    [-59_000, 'just now'],
    [-60_000, '1 minute ago'],
    [-119 * 60_000, '119 minutes ago'],
    [-2 * hour, '2 hours ago'],
    [-47 * hour, '47 hours ago'],
    [-50 * hour, '2 days ago'],
    [30_000, 'in under a minute'],
    [34 * 60_000, 'in 34 minutes'],
  ])('%d ms from now reads %s', (difference, text) => {
    expect(ago(10 * 24 * hour + difference, 10 * 24 * hour)).toBe(text);
  });
});

describe('words', () => {
  it('count', () => {
    expect([plural(1, 'task'), plural(2, 'task'), plural(0, 'entry', 'entries')]).toEqual([
      '1 task',
      '2 tasks',
      '0 entries',
    ]);
  });

  it('come from names', () => {
    expect(sentenceCase('rebuild-index')).toBe('Rebuild index');
  });
});
