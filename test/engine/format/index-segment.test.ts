import { describe, expect, it } from 'vitest';
import { blobId, packId } from '../../../src/core/ids.ts';
import { packsBySegment } from '../../../src/engine/format/index-segment.ts';

function packsOf(...blobs: readonly number[]) {
  const entry = {
    kind: 'pbs-chunk',
    codec: 0,
    id: blobId(new Uint8Array(32)),
    offset: 0,
    sealedLength: 60,
    plainLength: 20,
  } as const;
  return blobs.map((count, at) => ({
    id: packId(at.toString(16).padStart(64, '0')),
    sizeBytes: 2 ** 24,
    epoch: 0,
    entries: new Array<typeof entry>(count).fill(entry),
  }));
}

describe('spreading packs over segments', () => {
  it('keeps together what fits, in order, and parts what does not', () => {
    const packs = packsOf(10, 20, 2 ** 20, 500_000, 500_000, 500_000, 1);
    const segments = packsBySegment(packs);
    expect(segments.flat()).toEqual(packs);
    expect(segments.map((segment) => segment.length)).toEqual([3, 2, 2]);
    for (const segment of segments) {
      const rows = segment.reduce((sum, pack) => sum + pack.entries.length, 0);
      expect(rows * 46 + segment.length * 44).toBeLessThan(60 * 2 ** 20);
    }
  });

  it('makes no segment of nothing', () => {
    expect(packsBySegment([])).toEqual([]);
  });
});
