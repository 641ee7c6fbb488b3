import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { segmentId } from '../../../src/core/ids.ts';
import { systemRandom } from '../../../src/core/random.ts';
import { loadBlake3 } from '../../../src/engine/crypto/blake3.ts';
import { loadLmdb, LmdbTable } from '../../../src/engine/repository/lmdb-table.ts';
import { MemoryTable } from '../../../src/engine/repository/memory-table.ts';
import { openTable } from '../../../src/engine/repository/table-cache.ts';
import { blobTableContract, idOf, packOf } from '../../contracts/blob-table-contract.ts';

await loadBlake3();
const lmdb = await loadLmdb();
let folder = '';
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestegg-table-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

blobTableContract('memory', () => new MemoryTable());
if (lmdb) blobTableContract('lmdb', () => new LmdbTable(lmdb, join(folder, String((count += 1)))));

describe('the kept table', () => {
  const s1 = segmentId('1'.repeat(64));
  const s2 = segmentId('2'.repeat(64));
  const content = new Map([
    [s1, [packOf('p1', ['a'])]],
    [s2, [packOf('p2', ['b'])]],
  ]);

  it.runIf(lmdb)('is brought up to date with new segments alone, and made anew when something died', async () => {
    const directory = join(folder, 'kept');
    const asked: string[] = [];
    const open = (segments: ReadonlySet<typeof s1>, dead: ReadonlySet<string>) =>
      openTable({
        directory,
        segments,
        dead,
        random: systemRandom,
        readSegment: (id) => {
          asked.push(id);
          return Promise.resolve(content.get(id));
        },
      });
    await (await open(new Set([s1]), new Set())).close();
    const second = await open(new Set([s1, s2]), new Set());
    expect(asked).toEqual([s1, s2]);
    expect(second.get(idOf('a'))?.pack).toBe(packOf('p1', []).id);
    await second.close();
    const third = await open(new Set([s1, s2]), new Set([packOf('p1', []).id]));
    expect(asked).toEqual([s1, s2, s1, s2]);
    expect(third.get(idOf('a'))).toBeUndefined();
    expect(third.get(idOf('b'))).toBeDefined();
    await third.close();
  });

  it.runIf(lmdb)('serves many who open it at once and disagree about what died', async () => {
    const directory = join(folder, 'shared');
    const dead = packOf('p1', []).id;
    const openAgainAndAgain = async (number: number): Promise<void> => {
      for (let turn = 0; turn < 3; turn += 1) {
        const table = await openTable({
          directory,
          segments: new Set([s1, s2]),
          dead: new Set(number % 2 === 0 ? [] : [dead]),
          random: systemRandom,
          readSegment: (id) => Promise.resolve(content.get(id)),
        });
        expect(table.packNumberOf(idOf('a')) >= 0).toBe(number % 2 === 0);
        expect(table.packNumberOf(idOf('b'))).toBeGreaterThanOrEqual(0);
        await table.close();
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, number) => openAgainAndAgain(number)));
  });

  it('leaves out a segment that is lost, and asks for it again next time', async () => {
    const table = await openTable({
      directory: undefined,
      segments: new Set([s1, s2]),
      dead: new Set(),
      random: systemRandom,
      readSegment: (id) => Promise.resolve(id === s1 ? undefined : content.get(id)),
    });
    expect(table.stamp().segments).toEqual(new Set([s2]));
    await table.close();
  });
});
