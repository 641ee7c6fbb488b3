import { describe, expect, it } from 'vitest';
import { blobId, packId, segmentId, type BlobId } from '../../src/core/ids.ts';
import { sha256, sha256Hex } from '../../src/engine/crypto/sha256.ts';
import type { IndexedPack } from '../../src/engine/format/index-segment.ts';
import { toHex, utf8 } from '../../src/core/bytes.ts';
import type { BlobTable } from '../../src/engine/repository/blob-table.ts';

export function idOf(name: string): BlobId {
  return blobId(sha256(utf8(name)));
}

export function packOf(name: string, blobs: readonly string[]): IndexedPack {
  return {
    id: packId(sha256Hex(utf8(name))),
    sizeBytes: 4096,
    epoch: 3,
    entries: blobs.map((blob, index) => ({
      kind: 'pbs-chunk',
      codec: 0,
      id: idOf(blob),
      offset: index * 100,
      sealedLength: 99,
      plainLength: 59,
    })),
  };
}

const segment = (name: string) => segmentId(sha256Hex(utf8(name)));

export function blobTableContract(name: string, make: () => BlobTable): void {
  describe(`blob table: ${name}`, () => {
    it('finds what was added, with all its fields, and nothing else', async () => {
      const table = make();
      table.add(segment('s1'), [packOf('p1', ['a', 'b']), packOf('p2', ['c'])]);
      expect(table.get(idOf('b'))).toEqual({
        pack: packOf('p1', []).id,
        epoch: 3,
        packBytes: 4096,
        entry: packOf('p1', ['a', 'b']).entries[1],
      });
      expect(table.get(idOf('d'))).toBeUndefined();
      expect(table.packNumberOf(idOf('d'))).toBe(-1);
      expect(table.packAt(table.packNumberOf(idOf('c')))).toBe(packOf('p2', []).id);
      expect([...table.packs()]).toEqual([packOf('p1', []).id, packOf('p2', []).id]);
      expect(table.size).toBe(3);
      await table.close();
    });

    it('keeps the first place of a blob and is stamped with its segments', async () => {
      const table = make();
      table.add(segment('s1'), [packOf('p1', ['a'])]);
      table.add(segment('s2'), [packOf('p2', ['a', 'b'])]);
      table.add(segment('s2'), [packOf('p2', ['a', 'b'])]);
      expect(table.get(idOf('a'))?.pack).toBe(packOf('p1', []).id);
      expect(table.stamp().segments).toEqual(new Set([segment('s1'), segment('s2')]));
      expect([...table.packs()]).toHaveLength(2);
      await table.close();
    });

    it('never takes what is dead: whole packs and single blobs of packs', async () => {
      const table = make();
      const dead = new Set([packOf('p1', []).id, `${packOf('p2', []).id}/${toHex(idOf('b'))}`]);
      table.setDead(dead);
      table.add(segment('s1'), [packOf('p1', ['a']), packOf('p2', ['b', 'c']), packOf('p3', ['b'])]);
      expect(table.get(idOf('a'))).toBeUndefined();
      expect(table.get(idOf('b'))?.pack).toBe(packOf('p3', []).id);
      expect(table.get(idOf('c'))?.pack).toBe(packOf('p2', []).id);
      expect(table.stamp().dead).toEqual(dead);
      await table.close();
    });

    it('holds many blobs', async () => {
      const table = make();
      const names = Array.from({ length: 5000 }, (_, index) => `blob ${String(index)}`);
      table.add(segment('s1'), [packOf('p1', names)]);
      expect(names.every((blob) => table.packNumberOf(idOf(blob)) === 0)).toBe(true);
      expect(table.get(idOf('blob 4321'))?.entry.offset).toBe(432_100);
      await table.close();
    });
  });
}
