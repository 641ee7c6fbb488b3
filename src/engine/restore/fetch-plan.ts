/**
 * Which parts of which packs are fetched. Pure. Pieces begin and end at multiples of 1 MiB (or at the end of the pack), so
 * that the store learns nothing about where blobs end; a pack of which much is needed is fetched whole.
 */
import type { PackId } from '../../core/ids.ts';

/** A chunk that is needed, and where it lies. */
export interface Needed {
  readonly chunk: number;
  /** Number of the snapshot that needs it first. */
  readonly owner: number;
  readonly pack: PackId;
  readonly epoch: number;
  readonly packBytes: number;
  readonly offset: number;
  readonly sealedLength: number;
  readonly plainLength: number;
}

export interface Piece {
  readonly pack: PackId;
  readonly epoch: number;
  readonly start: number;
  readonly length: number;
  /** The first snapshot that needs anything of it. */
  readonly owner: number;
  readonly chunks: readonly Needed[];
}

const alignment = 2 ** 20;
/** From this share on a whole pack is cheaper than its parts. */
const wholeShare = 0.5;

/**
 * Every chunk is in exactly one piece, and no piece but that of a single larger blob, or a whole pack, is longer than
 * `longestBytes`. Pieces come in the order in which snapshots need them.
 */
export function planFetches(needed: readonly Needed[], longestBytes: number): Piece[] {
  const byPack = new Map<PackId, Needed[]>();
  for (const each of needed) {
    const known = byPack.get(each.pack);
    if (known) known.push(each);
    else byPack.set(each.pack, [each]);
  }
  const pieces: Piece[] = [];
  for (const chunks of byPack.values()) {
    chunks.sort((a, b) => a.offset - b.offset);
    pieces.push(...piecesOf(chunks, longestBytes));
  }
  return pieces.sort((a, b) => a.owner - b.owner || (a.pack < b.pack ? -1 : a.pack > b.pack ? 1 : a.start - b.start));
}

function piecesOf(chunks: readonly Needed[], longestBytes: number): Piece[] {
  const [first] = chunks;
  if (!first) return [];
  const { packBytes } = first;
  const sealed = chunks.reduce((sum, chunk) => sum + chunk.sealedLength, 0);
  if (packBytes <= longestBytes && sealed >= packBytes * wholeShare) return [pieceOf(chunks, 0, packBytes)];
  const pieces: Piece[] = [];
  let run: Needed[] = [];
  let start = 0;
  let end = 0;
  for (const chunk of chunks) {
    const from = Math.floor(chunk.offset / alignment) * alignment;
    const to = Math.min(packBytes, Math.ceil((chunk.offset + chunk.sealedLength) / alignment) * alignment);
    if (run.length > 0 && (from > end || to - start > longestBytes)) {
      pieces.push(pieceOf(run, start, end));
      run = [];
    }
    if (run.length === 0) [start, end] = [from, to];
    end = Math.max(end, to);
    run.push(chunk);
  }
  return [...pieces, pieceOf(run, start, end)];
}

function pieceOf(chunks: readonly Needed[], start: number, end: number): Piece {
  const [first] = chunks;
  if (!first) throw new RangeError('a piece without chunks');
  const owner = chunks.reduce((least, chunk) => Math.min(least, chunk.owner), first.owner);
  return { pack: first.pack, epoch: first.epoch, start, length: end - start, owner, chunks };
}
