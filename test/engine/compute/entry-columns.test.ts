import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { blobId } from '../../../src/core/ids.ts';
import { columnBuffers, fromColumns, toColumns, wholeBuffer } from '../../../src/engine/compute/entry-columns.ts';
import type { PackEntry } from '../../../src/engine/format/blob.ts';

it('gives the entries back, through buffers that can be transferred', () => {
  const entries: PackEntry[] = Array.from({ length: 5 }, (_, at) => ({
    kind: at % 2 === 0 ? 'pbs-chunk' : 'list',
    codec: at % 2 === 0 ? 0 : 1,
    id: blobId(new Uint8Array(randomBytes(32))),
    offset: at * 1000,
    sealedLength: 900 + at,
    plainLength: 2 ** 24 + at,
  }));
  const columns = toColumns(entries);
  const moved = structuredClone(columns, { transfer: columnBuffers(columns) });
  expect(columns.ids.byteLength).toBe(0);
  expect(fromColumns(moved)).toEqual(entries);
});

it('refuses to transfer a part of a buffer', () => {
  expect(() => wholeBuffer(new Uint8Array(10).subarray(1))).toThrow(RangeError);
});
