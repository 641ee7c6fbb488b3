import { describe, expect, it } from 'vitest';
import { detailsOf } from '../../../ui/src/model/details.ts';
import { mapOf, touches, type MapLine } from '../../../ui/src/model/map.ts';
import { empty, full } from '../support/fixtures.ts';

const now = 1_790_000_000_000;
const { status } = full(now);

const ends = (line: MapLine) => {
  const [, start = '', end = ''] = /^M0 ([\d.]+)C.* 100 ([\d.]+)$/.exec(line.path) ?? [];
  return { start: Number(start), end: Number(end) };
};

describe('the map', () => {
  const map = mapOf(status, now);

  it('has a line for every repository of every backup', () => {
    expect(map.lines.map((line) => `${line.backup} ${line.repository}`)).toEqual([
      'datacenter sia',
      'datacenter ovh',
      'grafana ovh',
      'grafana nas',
      'database ovh',
      'database nas',
      'photographs-of-the-last-twenty-years nas',
    ]);
  });

  it('lets exactly the lines of running backups flow', () => {
    expect(map.lines.filter((line) => line.flowing).map((line) => line.backup)).toEqual(['datacenter', 'datacenter']);
  });

  it('shows the last result of each line by its tone', () => {
    expect(map.lines.map((line) => line.tone)).toEqual(['busy', 'notice', 'good', 'good', 'bad', 'good', 'quiet']);
  });

  it('says each line in words', () => {
    expect(map.lines.map((line) => line.label)).toContain('grafana to nas: OK, committed 12 minutes ago');
    expect(map.lines.at(-1)?.label).toMatch(/: Never ran, no commit known$/);
  });

  it('keeps every line end within its own node', () => {
    for (const line of map.lines) {
      const from = map.backups.findIndex(({ name }) => name === line.backup);
      const to = map.repositories.findIndex(({ name }) => name === line.repository);
      // Four rows of 4.5 rem with gaps of 1 rem; three nodes on the right, so half a row lower.
      expect(Math.abs(ends(line).start - (from * 5.5 + 2.25))).toBeLessThan(2.25);
      expect(Math.abs(ends(line).end - (to * 5.5 + 2.75 + 2.25))).toBeLessThan(2.25);
    }
    expect(map.height).toBe(21);
  });

  it('orders the lines of one node by their far ends, so that they do not cross', () => {
    for (const { name } of map.backups) {
      const lines = map.lines.filter((line) => line.backup === name).map(ends);
      const byStart = [...lines].sort((a, b) => a.start - b.start);
      expect(byStart).toEqual([...lines].sort((a, b) => a.end - b.end));
    }
  });

  it('shows progress at the node that runs, and only there', () => {
    expect(map.backups.map(({ fraction }) => fraction)).toEqual([18.2 / 42.6, undefined, undefined, undefined]);
    expect(map.backups[0]?.note).toBe('42 %');
  });

  it('leaves out a line to a repository that is not there', () => {
    const [first] = status.repositories;
    expect(mapOf({ ...status, repositories: first ? [first] : [] }, now).lines).toHaveLength(1);
  });

  it('is empty for a new installation', () => {
    expect(mapOf(empty(now).status, now)).toMatchObject({ backups: [], repositories: [], lines: [] });
  });
});

describe('a selection', () => {
  const [line] = mapOf(status, now).lines;

  it.each([
    [undefined, true],
    [{ side: 'backup', name: 'datacenter' } as const, true],
    [{ side: 'repository', name: 'sia' } as const, true],
    [{ side: 'backup', name: 'sia' } as const, false],
    [{ side: 'repository', name: 'ovh' } as const, false],
  ])('%j', (selection, expected) => {
    expect(line && touches(line, selection)).toBe(expected);
  });

  it('of a backup tells its source, when it runs and each of its repositories', () => {
    const details = detailsOf(status, { side: 'backup', name: 'database' });
    expect(details?.facts.slice(0, 2)).toEqual([
      { name: 'Source', text: 'pg_dump' },
      { name: 'Runs', text: '0 * * * *' },
    ]);
    expect(details?.lines.map(({ name, look }) => `${name} ${look.word}`)).toEqual(['ovh Failed', 'nas OK']);
    expect(details?.lines[0]?.problem?.message).toBe('connection refused');
  });

  it('of a repository tells what was committed and what is off-site, told apart', () => {
    const details = detailsOf(status, { side: 'repository', name: 'ovh' });
    const times = Object.fromEntries(details?.facts.map(({ name, ms }) => [name, ms]) ?? []);
    expect(times).toMatchObject({ Committed: now - 12 * 60_000, 'Off-site up to': now - 32 * 60_000 });
    expect(details?.lines.map(({ name }) => name)).toEqual(['datacenter', 'grafana', 'database']);
  });

  it('of what is gone tells nothing', () => {
    expect(detailsOf(status, { side: 'backup', name: 'gone' })).toBeUndefined();
  });
});
