import { digest, snapshotId, writerId, type EntryId, type WriterId } from '../../src/core/ids.ts';
import { toHex, utf8 } from '../../src/core/bytes.ts';
import { systemRandom } from '../../src/core/random.ts';
import { publicKeyOf } from '../../src/engine/crypto/ed25519.ts';
import { sha256, sha256Hex } from '../../src/engine/crypto/sha256.ts';
import { decodeEntry, encodeEntry, type DecodedEntry } from '../../src/engine/format/entry.ts';
import type { JournalHead, SnapshotListing } from '../../src/engine/format/shapes.ts';
import type { EntryContent } from '../../src/engine/repository/journal-writer.ts';
import { testKeys } from './repository.ts';

export interface WrittenEntry {
  readonly entry: DecodedEntry;
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly head: JournalHead;
}

/** Writes chains of entries without a store: what a journal is made of. */
export class ChainWriter {
  readonly id: WriterId;
  readonly #seed: Uint8Array;
  #sequence = 0;
  #previous: EntryId | null = null;

  constructor(seed: Uint8Array) {
    this.#seed = seed;
    this.id = writerId(toHex(publicKeyOf(seed)));
  }

  /** A second process with the same identity and state. */
  clone(): ChainWriter {
    const clone = new ChainWriter(this.#seed);
    clone.#sequence = this.#sequence;
    clone.#previous = this.#previous;
    return clone;
  }

  write(content: EntryContent, heads: readonly JournalHead[] = [], timeMs = 1): WrittenEntry {
    const sequence = this.#sequence + 1;
    const body = { ...content, timeMs, base: { checkpoint: null, heads }, siblings: [] };
    const made = encodeEntry({
      keys: testKeys,
      seed: this.#seed,
      sequence,
      previous: this.#previous,
      body,
      random: systemRandom,
    });
    this.#sequence = sequence;
    this.#previous = made.id;
    const entry = decodeEntry(testKeys, made.name, made.bytes);
    if (entry.outcome !== 'ok') throw new Error(entry.reason);
    return { entry, name: made.name, bytes: made.bytes, head: { writer: this.id, sequence, id: made.id } };
  }
}

export function writerOf(number: number): ChainWriter {
  return new ChainWriter(sha256(utf8(`writer ${String(number)}`)));
}

export function listingOf(name: string): SnapshotListing {
  return {
    id: snapshotId(sha256Hex(utf8(name)).slice(0, 32)),
    record: { digest: digest(sha256(utf8(`record of ${name}`))), length: 10 },
    backup: 'datacenter',
    group: '|vm/100',
    item: name,
    timeMs: 1,
    sizeBytes: 1,
    damaged: false,
  };
}
