import { toHex } from '../../core/bytes.ts';
import type { BadChunk, ChunkRule } from '../compute/compute.ts';
import type { Assurance } from '../format/pbs-chunk-id.ts';
import type { ChunkIndex } from '../pbs/chunk-index.ts';
import type { ChunkProblem } from '../pbs/chunk-reader.ts';

/** A bad chunk where it is used. */
export interface BadPlace {
  readonly index: number;
  /** Of its first byte in the image or stream. */
  readonly position: number;
  readonly length: number;
  readonly digest: Uint8Array;
  readonly problem: ChunkProblem;
}

interface Known {
  missing: number;
  readonly problem: ChunkProblem;
}

/** What is proven about chunks that are checked by `rule`. */
export function assuranceOf(rule: ChunkRule): Assurance {
  return rule.verify === 'digest' && rule.cryptMode !== 'encrypt' ? 'plain' : 'unverified';
}

/**
 * The bad chunks of one run: few, so they are looked up by text. That a chunk is bad counts for the targets that missed
 * it; a target that has the chunk from an earlier day is as well off as before.
 */
export class BadChunks {
  readonly #known = new Map<string, Known>();
  /** First four bytes of their digests: says no for nearly every good chunk without making a text of it. */
  readonly #beginnings = new Set<number>();

  get any(): boolean {
    return this.#known.size > 0;
  }

  add(bad: BadChunk): void {
    const key = keyOf(assuranceOf(bad.rule), bad.digest);
    const known = this.#known.get(key);
    if (known) known.missing |= bad.missing;
    else this.#known.set(key, { missing: bad.missing, problem: bad.problem });
    this.#beginnings.add(beginningOf(bad.digest, 0));
  }

  /** The places of `index` whose chunk is bad for that target, in order. */
  placesIn(index: ChunkIndex, assurance: Assurance, target: number): BadPlace[] {
    const places: BadPlace[] = [];
    if (!this.any) return places;
    for (let at = 0; at < index.count; at += 1) {
      if (!this.#beginnings.has(beginningOf(index.digests, at * 32))) continue;
      const digest = index.digestAt(at);
      const known = this.#known.get(keyOf(assurance, digest));
      if (!known || (known.missing & (1 << target)) === 0) continue;
      const place = { index: at, position: index.offsetAt(at), length: index.lengthAt(at) };
      places.push({ ...place, digest, problem: known.problem });
    }
    return places;
  }
}

function keyOf(assurance: Assurance, digest: Uint8Array): string {
  return `${assurance} ${toHex(digest)}`;
}

function beginningOf(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0);
}
