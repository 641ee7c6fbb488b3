import { beforeAll, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { toHex } from '../../../src/core/bytes.ts';
import { CorruptionError } from '../../../src/core/errors.ts';
import { ListWriter } from '../../../src/engine/backup/list-writer.ts';
import { contentRef } from '../../../src/engine/compute/content-ref.ts';
import { loadBlake3 } from '../../../src/engine/crypto/blake3.ts';
import type { BlobRef } from '../../../src/engine/format/blob.ts';
import { decodeListNode } from '../../../src/engine/format/list.ts';
import { readList, type PbsIndexFile } from '../../../src/engine/restore/list-reader.ts';
import { SeededRandom } from '../../support/datastore/seeded.ts';

beforeAll(() => loadBlake3());

interface Written {
  readonly file: PbsIndexFile;
  readonly digests: Uint8Array;
  readonly lengths: readonly number[];
  readonly nodes: Map<string, Uint8Array>;
}

async function write(kind: 'fixed' | 'dynamic', count: number, seed = 'list'): Promise<Written> {
  const random = new SeededRandom(seed);
  const chunkSize = 65_536;
  const lengths = Array.from({ length: count }, (_, at) =>
    kind === 'dynamic' ? 1 + random.below(100_000) : at === count - 1 ? 1000 : chunkSize,
  );
  const digests = random.bytes(count * 32);
  const nodes = new Map<string, Uint8Array>();
  const writer = new ListWriter(kind, async (node) => {
    const ref = contentRef(node);
    nodes.set(toHex(ref.digest), node);
    return ref;
  });
  for (const [at, length] of lengths.entries()) {
    writer.add(digests.subarray(at * 32, at * 32 + 32), length);
    if (writer.isFull) await writer.flush();
  }
  const list = await writer.finish();
  const size = lengths.reduce((sum, length) => sum + length, 0);
  const common = {
    name: 'x',
    header: new Uint8Array(0),
    size,
    chunks: count,
    list,
    assurance: 'plain',
    extra: new Uint8Array(0),
  } as const;
  const file: PbsIndexFile = kind === 'fixed' ? { kind, ...common, chunkSize } : { kind, ...common };
  return { file, digests, lengths, nodes };
}

function reader(nodes: Map<string, Uint8Array>): (ref: BlobRef) => Promise<Uint8Array> {
  return async (ref) => {
    const node = nodes.get(toHex(ref.digest));
    if (!node) throw new CorruptionError('no such node');
    return node;
  };
}

describe('lists of PBS indexes', () => {
  it('reads back what was written, whatever the number of chunks', async () => {
    const counts = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.constantFrom(255, 256, 257, 65_536, 65_537));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('fixed' as const, 'dynamic' as const), counts, async (kind, count) => {
        const { file, digests, lengths, nodes } = await write(kind, count);
        const listed = await readList(file, reader(nodes));
        expect(Buffer.from(listed.digests).equals(digests)).toBe(true);
        expect([...listed.lengths]).toEqual(lengths);
      }),
      { numRuns: 25 },
    );
  });

  it('makes a single leaf of up to 256 chunks, also of none', async () => {
    expect((await write('fixed', 256)).nodes.size).toBe(1);
    expect((await write('fixed', 257)).nodes.size).toBe(3);
    const empty = await write('dynamic', 0);
    expect(empty.nodes.size).toBe(1);
    expect((await readList(empty.file, reader(empty.nodes))).lengths).toHaveLength(0);
  });

  it('fills leaves from the beginning, and lifts the root only as high as needed', async () => {
    const { file, nodes } = await write('fixed', 65_536);
    const root = decodeListNode(nodes.get(toHex(file.list.digest)) ?? new Uint8Array(0));
    expect(root).toMatchObject({ kind: 'inner', level: 1 });
    expect(root.kind === 'inner' && root.children.length).toBe(256);
  });

  it.each([
    ['fewer chunks than it has', (file: PbsIndexFile) => ({ ...file, chunks: file.chunks - 1 })],
    ['more chunks than it has', (file: PbsIndexFile) => ({ ...file, chunks: file.chunks + 1 })],
    ['another size', (file: PbsIndexFile) => ({ ...file, size: file.size + 1 })],
    ['an impossible number of chunks', (file: PbsIndexFile) => ({ ...file, chunks: 2 ** 40 })],
  ])('refuses a record that says %s', async (_name, change) => {
    const { file, nodes } = await write('dynamic', 300);
    await expect(readList(change(file), reader(nodes))).rejects.toBeInstanceOf(CorruptionError);
  });

  it('refuses a list of another type', async () => {
    const { file, nodes } = await write('dynamic', 300);
    await expect(readList({ ...file, kind: 'fixed', chunkSize: 65_536 }, reader(nodes))).rejects.toBeInstanceOf(
      CorruptionError,
    );
  });
});
