/**
 * Entries of a pack on their way between threads: a few arrays, transferred, instead of thousands of cloned objects,
 * whose ids would each drag a copy of the buffer behind them along.
 */
import { blobId } from '../../core/ids.ts';
import { blobKindNumber, blobKindOf, codecOf, type PackEntry } from '../format/blob.ts';

const idBytes = 32;
const numbersEach = 3;

export interface EntryColumns {
  readonly kinds: Uint8Array;
  readonly codecs: Uint8Array;
  readonly ids: Uint8Array;
  /** Offset, sealed length and plain length of each. */
  readonly numbers: Uint32Array;
}

export function toColumns(entries: readonly PackEntry[]): EntryColumns {
  const columns: EntryColumns = {
    kinds: new Uint8Array(entries.length),
    codecs: new Uint8Array(entries.length),
    ids: new Uint8Array(entries.length * idBytes),
    numbers: new Uint32Array(entries.length * numbersEach),
  };
  entries.forEach((entry, at) => {
    columns.kinds[at] = blobKindNumber(entry.kind);
    columns.codecs[at] = entry.codec;
    columns.ids.set(entry.id, at * idBytes);
    columns.numbers.set([entry.offset, entry.sealedLength, entry.plainLength], at * numbersEach);
  });
  return columns;
}

/** Ids are views of `columns.ids`. */
export function fromColumns(columns: EntryColumns): PackEntry[] {
  return Array.from(columns.kinds, (kind, at) => ({
    kind: blobKindOf(kind),
    codec: codecOf(columns.codecs[at] ?? 0),
    id: blobId(columns.ids.subarray(at * idBytes, (at + 1) * idBytes)),
    offset: columns.numbers[at * numbersEach] ?? 0,
    sealedLength: columns.numbers[at * numbersEach + 1] ?? 0,
    plainLength: columns.numbers[at * numbersEach + 2] ?? 0,
  }));
}

/** The buffers behind the columns, for a transfer list. */
export function columnBuffers(columns: EntryColumns): ArrayBuffer[] {
  return [columns.kinds, columns.codecs, columns.ids, columns.numbers].map((column) => wholeBuffer(column));
}

/** The buffer that belongs to this array, wherever in it the array lies. @throws RangeError for shared memory. */
export function ownBuffer({ buffer }: Uint8Array): ArrayBuffer {
  if (!(buffer instanceof ArrayBuffer)) throw new RangeError('shared memory cannot be transferred');
  return buffer;
}

/** The buffer of an array that covers all of it, so that it can be transferred. @throws RangeError for a view of a part. */
export function wholeBuffer(array: Uint8Array | Uint32Array): ArrayBuffer {
  const { buffer } = array;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== array.byteLength) {
    throw new RangeError('only an array with a buffer of its own can be transferred');
  }
  return buffer;
}
