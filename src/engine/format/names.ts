/** The names of all objects of a repository, built and parsed (repository format, section 1). */
import {
  checkpointId,
  entryId,
  packId,
  segmentId,
  writerId,
  type CheckpointId,
  type EntryId,
  type PackId,
  type SegmentId,
  type WriterId,
} from '../../core/ids.ts';

export const hintName = 'nestegg.json';
export const prefixes = {
  keys: 'keys/',
  packs: 'packs/',
  index: 'index/',
  journal: 'journal/',
  checkpoints: 'checkpoints/',
} as const;

export type ObjectName =
  | { readonly type: 'hint' }
  | { readonly type: 'key-slot'; readonly id: string }
  | { readonly type: 'wrapped-root'; readonly epoch: number; readonly sha256: string }
  | { readonly type: 'pack'; readonly id: PackId }
  | { readonly type: 'segment'; readonly id: SegmentId }
  | { readonly type: 'entry'; readonly writer: WriterId; readonly sequence: number; readonly id: EntryId }
  | { readonly type: 'checkpoint'; readonly entries: number; readonly id: CheckpointId };

/** @param id 32 hex digits. */
export function keySlotName(id: string): string {
  return `${prefixes.keys}${id}`;
}

/** @param epoch of the root that is wrapped. */
export function wrappedRootName(epoch: number, sha256: string): string {
  return `${prefixes.keys}epoch-${hexNumber(epoch, 8)}.${sha256}`;
}

export function packName(id: PackId): string {
  return `${prefixes.packs}${id.slice(0, 2)}/${id}`;
}

export function segmentName(id: SegmentId): string {
  return `${prefixes.index}${id}`;
}

export function writerPrefix(writer: WriterId): string {
  return `${prefixes.journal}${writer}/`;
}

export function entryName(writer: WriterId, sequence: number, id: EntryId): string {
  return `${writerPrefix(writer)}${hexNumber(sequence, 16)}.${id}`;
}

/** @param entries number of journal entries that it covers. */
export function checkpointName(entries: number, id: CheckpointId): string {
  return `${prefixes.checkpoints}${hexNumber(entries, 16)}.${id}`;
}

/** What an object is by its name; `undefined` for names that this format does not have: leave such objects alone. */
export function parseObjectName(name: string): ObjectName | undefined {
  if (name === hintName) return { type: 'hint' };
  for (const [shape, build] of shapes) {
    const match = shape.exec(name);
    if (match !== null) return build(match[1] ?? '', match[2] ?? '', match[3] ?? '');
  }
  return undefined;
}

const shapes: readonly (readonly [RegExp, (a: string, b: string, c: string) => ObjectName | undefined])[] = [
  [/^keys\/([0-9a-f]{32})$/, (id) => ({ type: 'key-slot', id })],
  [
    /^keys\/epoch-([0-9a-f]{8})\.([0-9a-f]{64})$/,
    (epoch, sha256) => ({ type: 'wrapped-root', epoch: Number.parseInt(epoch, 16), sha256 }),
  ],
  [
    /^packs\/([0-9a-f]{2})\/([0-9a-f]{64})$/,
    (first, id) => (id.startsWith(first) ? { type: 'pack', id: packId(id) } : undefined),
  ],
  [/^index\/([0-9a-f]{64})$/, (id) => ({ type: 'segment', id: segmentId(id) })],
  [
    /^journal\/([0-9a-f]{64})\/([0-9a-f]{16})\.([0-9a-f]{64})$/,
    (writer, digits, id) => {
      const sequence = safeNumber(digits);
      if (sequence === undefined || sequence === 0) return undefined;
      return { type: 'entry', writer: writerId(writer), sequence, id: entryId(id) };
    },
  ],
  [
    /^checkpoints\/([0-9a-f]{16})\.([0-9a-f]{64})$/,
    (digits, id) => {
      const entries = safeNumber(digits);
      return entries === undefined ? undefined : { type: 'checkpoint', entries, id: checkpointId(id) };
    },
  ],
];

function hexNumber(value: number, digits: number): string {
  if (!Number.isSafeInteger(value) || value < 0 || value >= 16 ** digits) {
    throw new RangeError(`${String(value)} does not fit ${String(digits)} hex digits`);
  }
  return value.toString(16).padStart(digits, '0');
}

function safeNumber(digits: string): number | undefined {
  const value = Number.parseInt(digits, 16);
  return Number.isSafeInteger(value) ? value : undefined;
}
