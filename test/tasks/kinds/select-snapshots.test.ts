import { describe, expect, it } from 'vitest';
import { runId, snapshotId, writerId, digest } from '../../../src/core/ids.ts';
import type { SnapshotSummary } from '../../../src/engine/index.ts';
import { selectSnapshots } from '../../../src/tasks/kinds/select-snapshots.ts';

function summary(id: string, group: string, seconds: number): SnapshotSummary {
  return {
    id: snapshotId(id.padEnd(32, '0')),
    record: { digest: digest(new Uint8Array(32)), length: 1 },
    backup: 'datacenter',
    group,
    item: String(seconds),
    timeMs: seconds * 1000,
    run: runId('0'.repeat(32)),
    sizeBytes: 1,
    damaged: false,
    committedMs: 1,
    recordedMs: 1,
    writer: writerId('0'.repeat(64)),
  };
}

const all = [
  summary('aaaa1', '|vm/100', 1_717_200_000),
  summary('aaaa2', '|vm/100', 1_717_286_400),
  summary('bbbb1', '|ct/7', 1_717_200_000),
  summary('cccc1', 'a|vm/100', 1_717_200_000),
  summary('dddd1', 'a/b|vm/100', 1_717_200_000),
  summary('eeee1', 'ab|vm/100', 1_717_200_000),
];

function select(...names: string[]): string[] {
  return selectSnapshots(all, names).map(({ id }) => id.slice(0, 5));
}

describe('snapshots as people name them', () => {
  it.each([
    [['all'], ['aaaa1', 'aaaa2', 'bbbb1', 'cccc1', 'dddd1', 'eeee1']],
    [['vm/100'], ['aaaa1', 'aaaa2']],
    [['vm/100@latest'], ['aaaa2']],
    [['vm/100@2024-06-01T00:00:00Z'], ['aaaa1']],
    [['vm/100@1717286400'], ['aaaa2']],
    [['ns/a/vm/100'], ['cccc1']],
    [['a/vm/100'], ['cccc1']],
    [['ns/a/ns/b/vm/100@latest'], ['dddd1']],
    [['ns/a'], ['cccc1', 'dddd1']],
    [['ns/a/'], ['cccc1', 'dddd1']],
    [['bbbb'], ['bbbb1']],
    [
      ['bbbb', 'ct/7', 'ns/ab'],
      ['bbbb1', 'eeee1'],
    ],
  ])('%j', (names, ids) => {
    expect(select(...names)).toEqual(ids);
  });

  it.each([
    ['aaaa', 'ambiguous'],
    ['ffff', 'not-found'],
    ['vm/999', 'not-found'],
    ['ns/zz', 'not-found'],
    ['vm/100@2020-01-01T00:00:00Z', 'not-found'],
    ['vm/100@yesterday', 'usage'],
    ['vm', 'not-found'],
    ['', 'not-found'],
  ])('%j is refused as %s', (name, code) => {
    expect(() => select(name)).toThrow(expect.objectContaining({ code }));
  });
});
