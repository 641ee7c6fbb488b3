import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../src/core/bytes.ts';
import {
  archiveKind,
  chunkPath,
  compareGroups,
  formatTime,
  groupFolder,
  isNamespace,
  isSafeId,
  namespaceFolder,
  parseTime,
  snapshotFolder,
  type GroupName,
} from '../../../src/engine/pbs/layout.ts';

describe('places in a datastore', () => {
  it('of chunks go by the first two bytes of the digest', () => {
    const hex = 'bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8';
    expect(chunkPath(fromHex(hex))).toBe(`.chunks/bb9f/${hex}`);
    expect(() => chunkPath(new Uint8Array(31))).toThrow(RangeError);
  });

  it('of snapshots go by namespace, type, id and time', () => {
    const vm = { namespace: '', type: 'vm', id: '100', timeSeconds: 1717597476 } as const;
    expect(snapshotFolder(vm)).toBe('vm/100/2024-06-05T14:24:36Z');
    expect(snapshotFolder({ ...vm, namespace: 'a/b' })).toBe('ns/a/ns/b/vm/100/2024-06-05T14:24:36Z');
    expect(namespaceFolder('')).toBe('');
  });

  it.each(['..', '../x', 'a/b', '', '-x', 'x y', 'ä', 'x\0'])('never lead to the id %j', (id) => {
    expect(() => groupFolder({ namespace: '', type: 'vm', id })).toThrow(RangeError);
    expect(isSafeId(id)).toBe(false);
  });

  it('have namespaces of 7 names at most', () => {
    expect(isNamespace('a/b/c/d/e/f/g')).toBe(true);
    expect(isNamespace('a/b/c/d/e/f/g/h')).toBe(false);
    expect(isNamespace('a//b')).toBe(false);
    expect(isNamespace('a/..')).toBe(false);
    expect(isNamespace(Array.from({ length: 7 }, () => 'x'.repeat(40)).join('/'))).toBe(false);
  });
});

describe('times', () => {
  it.each([
    ['2024-06-05T14:24:36Z', 1717597476],
    ['1970-01-01T00:00:01Z', 1],
    ['2024-02-29T23:59:59Z', 1709251199],
  ])('%s is read', (name, seconds) => {
    expect(parseTime(name)).toBe(seconds);
  });

  it.each([
    '2024-02-30T10:00:00Z',
    '2023-02-29T10:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-01-01T24:00:00Z',
    '2024-01-01T00:60:00Z',
    '1970-01-01T00:00:00Z',
    '2024-06-05T14:24:36',
    '2024-06-05T14:24:36.000Z',
    '2024-06-05T14:24:36Z\n',
    'owner',
  ])('%j is not the name of a snapshot', (name) => {
    expect(parseTime(name)).toBeUndefined();
  });

  it('come back as they were written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 253_402_300_799 }), (seconds) => {
        expect(parseTime(formatTime(seconds))).toBe(seconds);
      }),
    );
  });
});

describe('names', () => {
  it.each([
    ['drive-scsi0.img.fidx', 'fixed'],
    ['root.pxar.didx', 'dynamic'],
    ['index.json.blob', 'blob'],
    ['.protected', undefined],
    ['root.pxar.tmp_didx', undefined],
    ['x.blob.tmp_abcdef', undefined],
    ['a/b.blob', undefined],
  ])('%s is of kind %s', (name, kind) => {
    expect(archiveKind(name)).toBe(kind);
  });

  it('of groups are sorted as PBS does', () => {
    const groups = ['vm/20', 'host/b', 'vm/a', 'ct/7', 'vm/100', 'host/10', 'vm/007'].map((text): GroupName => {
      const [type = '', id = ''] = text.split('/');
      return { namespace: '', type: type as GroupName['type'], id };
    });
    expect(groups.sort(compareGroups).map(({ type, id }) => `${type}/${id}`)).toEqual([
      'ct/7',
      'host/10',
      'host/b',
      'vm/007',
      'vm/20',
      'vm/100',
      'vm/a',
    ]);
  });
});
