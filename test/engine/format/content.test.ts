import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes, equalBytes, toHex, utf8 } from '../../../src/core/bytes.ts';
import { CorruptionError } from '../../../src/core/errors.ts';
import { digest } from '../../../src/core/ids.ts';
import { blake3, loadBlake3 } from '../../../src/engine/crypto/blake3.ts';
import type { BlobRef } from '../../../src/engine/format/blob.ts';
import { decodeListNode, encodeListNode, type ListPart, type ListType } from '../../../src/engine/format/list.ts';
import { buildList, walkList, type ListShape } from '../../../src/engine/format/list-tree.ts';
import { canonicalJson } from '../../../src/engine/format/json.ts';
import {
  decodeSnapshotRecord,
  encodeSnapshotRecord,
  snapshotIdOf,
  type SnapshotRecord,
} from '../../../src/engine/format/snapshot.ts';
import { bitFlips, counting, someDigest } from './fixtures.ts';
import { record } from './samples.ts';

beforeAll(async () => {
  await loadBlake3();
});

interface Built {
  readonly root: BlobRef;
  readonly nodes: Map<string, Uint8Array>;
}

function build(type: ListType, parts: Iterable<ListPart>): Built {
  const nodes = new Map<string, Uint8Array>();
  const list = buildList(type, parts);
  for (;;) {
    const step = list.next();
    if (step.done === true) return { root: step.value, nodes };
    nodes.set(toHex(step.value.ref.digest), step.value.content);
  }
}

async function walk({ root, nodes }: Built, shape: ListShape, readAhead?: number): Promise<readonly ListPart[]> {
  const fetch = (ref: BlobRef): Promise<Uint8Array> => {
    const content = nodes.get(toHex(ref.digest));
    return content?.byteLength === ref.length ? Promise.resolve(content) : Promise.reject(new Error('not stored'));
  };
  const all: ListPart[] = [];
  for await (const parts of walkList(root, shape, fetch, readAhead)) all.push(...parts);
  return all;
}

function numbered(count: number, length: (index: number) => number = () => 10): ListPart[] {
  return Array.from({ length: count }, (_, index) => {
    const digestBytes = new Uint8Array(32);
    new DataView(digestBytes.buffer).setUint32(0, index);
    return { digest: digestBytes, length: length(index) };
  });
}

/** One number for all parts, because comparing 65,000 of them one by one takes the runner a minute. */
function summary(parts: readonly ListPart[]): string {
  const lengths = Uint32Array.from(parts, (part) => part.length);
  return toHex(blake3(new Uint8Array(lengths.buffer), ...parts.map((part) => part.digest)));
}

function sizeOf(parts: readonly ListPart[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

describe('lists', () => {
  it.each([0, 1, 255, 256, 257, 65_536, 65_537])('of %i parts come back in order, for every type', async (count) => {
    const parts = numbered(count, (index) => (index % 7) + 1);
    for (const type of ['data', 'dynamic'] as const) {
      expect(summary(await walk(build(type, parts), { type, size: sizeOf(parts) }))).toBe(summary(parts));
    }
    const fixed = numbered(count, (index) => (index === count - 1 ? 3 : 10));
    const shape = { type: 'fixed', size: sizeOf(fixed), chunkSize: 10 } as const;
    expect(summary(await walk(build('fixed', fixed), shape, 1))).toBe(summary(fixed));
  });

  it('share the nodes of unchanged stretches', () => {
    const parts = numbered(256 * 20);
    const before = build('fixed', parts).nodes;
    const changed = parts.map((part, index) => (index === 1000 ? { ...part, digest: counting(32) } : part));
    const after = build('fixed', changed).nodes;
    expect([...after.keys()].filter((key) => !before.has(key))).toHaveLength(2);
    expect(before.size).toBe(21);
  });

  it('are damaged when they do not fit their file', async () => {
    const parts = numbered(300);
    const fixed = build('fixed', parts);
    for (const shape of [
      { type: 'fixed', size: 2999, chunkSize: 9 },
      { type: 'fixed', size: 2989, chunkSize: 10 },
      { type: 'fixed', size: 3001, chunkSize: 10 },
      { type: 'dynamic', size: 3000 },
    ] as const) {
      await expect(walk(fixed, shape)).rejects.toThrow(CorruptionError);
    }
    const leaf = encodeListNode({ kind: 'leaf', type: 'dynamic', parts: numbered(10) });
    const ref = { digest: digest(blake3(leaf)), length: leaf.byteLength };
    const roots = [
      {
        level: 1,
        children: [
          { bytes: 100, ref },
          { bytes: 100, ref },
        ],
      },
      { level: 2, children: [{ bytes: 100, ref }] },
      { level: 1, children: [{ bytes: 99, ref }] },
    ];
    for (const { level, children } of roots) {
      const content = encodeListNode({ kind: 'inner', type: 'dynamic', level, children });
      const root = { digest: digest(blake3(content)), length: content.byteLength };
      const nodes = new Map([
        [toHex(ref.digest), leaf],
        [toHex(root.digest), content],
      ]);
      const size = children.length * 100;
      await expect(walk({ root, nodes }, { type: 'dynamic', size })).rejects.toThrow(CorruptionError);
    }
  });

  it('ask for no node after the consumer stopped', async () => {
    const { root, nodes } = build('data', numbered(256 * 30));
    let fetched = 0;
    const fetch = (ref: BlobRef): Promise<Uint8Array> => {
      fetched++;
      return Promise.resolve(nodes.get(toHex(ref.digest)) ?? new Uint8Array(0));
    };
    for await (const parts of walkList(root, { type: 'data', size: 256 * 300 }, fetch, 4)) {
      expect(parts).toHaveLength(256);
      break;
    }
    expect(fetched).toBe(5);
  });

  it('decode only from what was encoded', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        try {
          expect(equalBytes(encodeListNode(decodeListNode(noise)), noise)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptionError);
        }
      }),
      { numRuns: 1000 },
    );
    const node = encodeListNode({ kind: 'leaf', type: 'data', parts: numbered(3) });
    for (let length = 0; length < node.byteLength; length++) {
      expect(() => decodeListNode(node.subarray(0, length))).toThrow(CorruptionError);
    }
    expect(() => decodeListNode(concatBytes(node, Uint8Array.of(0)))).toThrow(CorruptionError);
    expect(() => encodeListNode({ kind: 'leaf', type: 'data', parts: numbered(257) })).toThrow(RangeError);
    expect(() => [...buildList('data', [{ digest: counting(32), length: 0 }])]).toThrow(RangeError);
  });
});

describe('snapshot records', () => {
  const content = encodeSnapshotRecord(record);

  it('come back, and have one form', () => {
    expect(decodeSnapshotRecord(content)).toEqual(record);
    const text = Buffer.from(content).toString();
    expect(text.startsWith('{"backup":"datacenter","device":"pbs1","endedMs":1700000200000,"format":1,')).toBe(true);
    expect(snapshotIdOf(someDigest(0))).toBe('000102030405060708090a0b0c0d0e0f');
    for (const other of [
      text.replace('{"backup"', '{ "backup"'),
      text.replace('🥚', '\\ud83e\\udd5a'),
      text.replace('"format":1', '"format":1.0'),
      text.replace('"format":1,', '"format":1,"extra":1,'),
      text.replace('"device":"pbs1",', ''),
      text.replace('"protected":true', '"protected":1'),
      text.replace('"size":500', '"size":501'),
      text.replace('"chunks":3', '"chunks":4'),
      text.replace('"name":"root.pxar.didx"', '"name":"../root.pxar.didx"'),
      text.replace('"assurance":"keyed"', '"assurance":"plain"'),
    ]) {
      expect(other).not.toBe(text);
      expect(() => decodeSnapshotRecord(utf8(other)), other).toThrow(CorruptionError);
    }
  });

  it('never give a wrong record for a bit flip of the content, only one that is as well-formed', () => {
    for (const [, flipped] of bitFlips(content, 3)) {
      try {
        expect(equalBytes(encodeSnapshotRecord(decodeSnapshotRecord(flipped)), flipped)).toBe(true);
      } catch (error) {
        expect(['repository.corrupt', 'repository.feature']).toContain((error as { readonly code?: string }).code);
      }
    }
  });

  it('of a newer kind say so', () => {
    const newer = expect.objectContaining({ code: 'repository.feature' }) as Error;
    const text = Buffer.from(content).toString();
    for (const other of [text.replace('"type":"pbs"', '"type":"zfs"'), text.replace('"format":1', '"format":2')]) {
      expect(() => decodeSnapshotRecord(utf8(other))).toThrow(newer);
    }
  });

  it('that the format does not allow are not written', () => {
    const wrong: readonly Partial<SnapshotRecord>[] = [
      { backup: '\ud800' },
      { timeMs: 1.5 },
      { timeMs: -1 },
      { device: 'x'.repeat(4097) },
      { source: { ...record.source, files: [{ kind: 'blob', name: 'a/b', size: 0, data: [] }] } },
    ];
    for (const change of wrong) expect(() => encodeSnapshotRecord({ ...record, ...change })).toThrow(RangeError);
  });
});

describe('canonical JSON', () => {
  it('is what JSON reads back, with sorted keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.maxSafeInteger(), fc.boolean())), (value) => {
        expect(JSON.parse(Buffer.from(canonicalJson(value)).toString())).toEqual({ ...value });
      }),
    );
    expect(Buffer.from(canonicalJson({ b: [1, null], a: 'é\u0001"\\' })).toString()).toBe(
      '{"a":"é\\u0001\\"\\\\","b":[1,null]}',
    );
  });
});
