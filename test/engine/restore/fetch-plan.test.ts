import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packId } from '../../../src/core/ids.ts';
import { planFetches, type Needed } from '../../../src/engine/restore/fetch-plan.ts';

const MiB = 2 ** 20;

function needed(chunk: number, change: Partial<Needed> = {}): Needed {
  const place = {
    pack: packId('a'.repeat(64)),
    epoch: 0,
    packBytes: 40 * MiB,
    offset: 0,
    sealedLength: 1000,
    plainLength: 960,
  };
  return { chunk, owner: 0, ...place, ...change };
}

describe('planning fetches', () => {
  it('fetches a pack whole when half of it is needed', () => {
    const chunks = Array.from({ length: 20 }, (_, at) => needed(at, { offset: at * MiB, sealedLength: MiB }));
    expect(planFetches(chunks, 64 * MiB)).toMatchObject([{ start: 0, length: 40 * MiB }]);
  });

  it('fetches single chunks by aligned ranges, and neighbours together', () => {
    const chunks = [
      needed(1, { offset: 5 * MiB + 7 }),
      needed(2, { offset: 6 * MiB - 10 }),
      needed(3, { offset: 20 * MiB }),
    ];
    expect(planFetches(chunks, 64 * MiB).map(({ start, length }) => [start / MiB, length / MiB])).toEqual([
      [5, 2],
      [20, 1],
    ]);
  });

  it('ends a range with the pack', () => {
    const [piece] = planFetches([needed(1, { packBytes: 10 * MiB + 5000, offset: 10 * MiB + 100 })], 64 * MiB);
    expect(piece).toMatchObject({ start: 10 * MiB, length: 5000 });
  });

  it('brings first what the first snapshot needs', () => {
    const other = packId('b'.repeat(64));
    const pieces = planFetches([needed(1, { owner: 3 }), needed(2, { owner: 1, pack: other })], 64 * MiB);
    expect(pieces.map(({ owner }) => owner)).toEqual([1, 3]);
  });

  it('covers every chunk exactly once, within its piece and its pack', () => {
    const places = fc.array(
      fc.record({
        pack: fc.constantFrom('a', 'b', 'c'),
        owner: fc.nat(5),
        at: fc.nat(39 * 1024),
        length: fc.integer({ min: 41, max: MiB }),
      }),
      { minLength: 1, maxLength: 60 },
    );
    fc.assert(
      fc.property(places, fc.integer({ min: 2, max: 64 }), (rows, longest) => {
        const chunks = rows.map(({ pack, owner, at, length }, chunk) =>
          needed(chunk, { pack: packId(pack.repeat(64)), owner, offset: at * 1024, sealedLength: length }),
        );
        const pieces = planFetches(chunks, longest * MiB);
        const covered = pieces.flatMap((piece) => piece.chunks.map((each) => each.chunk)).sort((a, b) => a - b);
        expect(covered).toEqual(chunks.map((each) => each.chunk));
        for (const piece of pieces) {
          expect(piece.start % MiB).toBe(0);
          expect(piece.length).toBeLessThanOrEqual(Math.max(longest, 2) * MiB);
          expect(piece.start + piece.length).toBeLessThanOrEqual(40 * MiB);
          expect(piece.owner).toBe(Math.min(...piece.chunks.map(({ owner }) => owner)));
          for (const { offset, sealedLength, pack } of piece.chunks) {
            expect(pack).toBe(piece.pack);
            expect(offset).toBeGreaterThanOrEqual(piece.start);
            expect(offset + sealedLength).toBeLessThanOrEqual(piece.start + piece.length);
          }
        }
      }),
    );
  });
});
