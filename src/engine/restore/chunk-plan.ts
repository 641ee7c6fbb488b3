import { toHex } from '../../core/bytes.ts';
import { blobId, type BlobId } from '../../core/ids.ts';
import type { ChunkRule } from '../compute/compute.ts';
import { chunkStates, type ChunkColumns } from '../compute/restore-messages.ts';
import { pbsChunkDigests } from '../format/pbs-chunk-id.ts';
import { IdTable } from '../repository/id-table.ts';
import type { Repository } from '../repository/repository.ts';
import type { StoredSnapshot } from './stored-snapshot.ts';

const idBytes = 32;

/**
 * The different chunks that the snapshots of a window need, in columns, numbered by first use. A chunk belongs to the
 * first snapshot that needs it: when everything of the first n snapshots is there, they can be published.
 */
export class ChunkPlan {
  readonly #repository: Repository;
  readonly #table = new IdTable(1);
  readonly #rules: ChunkRule[] = [];
  #capacity = 4096;
  #ids = new Uint8Array(this.#capacity * idBytes);
  #digests = new Uint8Array(this.#capacity * idBytes);
  #lengths = new Uint32Array(this.#capacity);
  #ruleOf = new Uint8Array(this.#capacity);
  #owners = new Uint32Array(this.#capacity);
  #states = new Uint8Array(this.#capacity);
  readonly #reasons = new Map<number, string>();
  count = 0;

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  /** Adds what snapshot number `owner` of the window needs. */
  add(snapshot: StoredSnapshot, owner: number): void {
    for (const { record, rule, index, holes } of snapshot.indexes) {
      const identify = pbsChunkDigests(record.assurance, record.extra);
      const ruleNumber = this.#ruleNumber(rule);
      for (let at = 0; at < index.count; at += 1) {
        if (holes.has(at)) continue;
        const digest = index.digestAt(at);
        const length = index.lengthAt(at);
        const id = this.#repository.blobId('pbs-chunk', { digest: identify(digest), length });
        this.#put(id, digest, length, ruleNumber, owner);
      }
    }
  }

  /** Places of this snapshot whose chunk is quarantined, and why. */
  *quarantinedIn(
    snapshot: StoredSnapshot,
  ): Generator<{ file: string; position: number; digest: string; reason: string }> {
    for (const { record, index, holes } of snapshot.indexes) {
      const identify = pbsChunkDigests(record.assurance, record.extra);
      if (holes.size === 0 && this.#reasons.size === 0) continue;
      for (let at = 0; at < index.count; at += 1) {
        const reason = holes.has(at)
          ? 'it was unreadable when the snapshot was made'
          : this.#reasonOf(identify(index.digestAt(at)), index.lengthAt(at));
        if (reason === undefined) continue;
        yield { file: record.name, position: index.offsetAt(at), digest: toHex(index.digestAt(at)), reason };
      }
    }
  }

  /** Number of the chunk with that id, or -1. */
  numberOf(id: BlobId): number {
    const slot = this.#table.find(id);
    return slot < 0 ? -1 : this.#table.value(slot, 0);
  }

  idAt(chunk: number): BlobId {
    return blobId(this.#ids.subarray(chunk * idBytes, (chunk + 1) * idBytes));
  }

  ownerOf(chunk: number): number {
    return this.#owners[chunk] ?? 0;
  }

  stateOf(chunk: number): number {
    return this.#states[chunk] ?? chunkStates.unknown;
  }

  setState(chunk: number, state: number): void {
    this.#states[chunk] = state;
    this.#reasons.delete(chunk);
  }

  quarantine(chunk: number, reason: string): void {
    this.#states[chunk] = chunkStates.unreadable;
    this.#reasons.set(chunk, reason);
  }

  /** How many chunks are in that state. */
  countOf(state: number): number {
    let found = 0;
    for (let chunk = 0; chunk < this.count; chunk += 1) if (this.#states[chunk] === state) found += 1;
    return found;
  }

  /** Copies of the columns of these chunks, to be transferred. */
  columnsOf(chunks: ArrayLike<number>): ChunkColumns {
    const count = chunks.length;
    const columns = {
      count,
      digests: new Uint8Array(count * idBytes),
      lengths: new Uint32Array(count),
      ruleOf: new Uint8Array(count),
      rules: [...this.#rules],
    };
    for (let at = 0; at < count; at += 1) {
      const chunk = chunks[at] ?? 0;
      columns.digests.set(this.#digests.subarray(chunk * idBytes, (chunk + 1) * idBytes), at * idBytes);
      columns.lengths[at] = this.#lengths[chunk] ?? 0;
      columns.ruleOf[at] = this.#ruleOf[chunk] ?? 0;
    }
    return columns;
  }

  #reasonOf(digest: ReturnType<ReturnType<typeof pbsChunkDigests>>, length: number): string | undefined {
    return this.#reasons.get(this.numberOf(this.#repository.blobId('pbs-chunk', { digest, length })));
  }

  #put(id: BlobId, digest: Uint8Array, length: number, rule: number, owner: number): void {
    if (this.#table.find(id) >= 0) return;
    if (this.count === this.#capacity) this.#grow();
    const chunk = this.count;
    this.count += 1;
    this.#table.setValue(this.#table.put(id), 0, chunk);
    this.#ids.set(id, chunk * idBytes);
    this.#digests.set(digest, chunk * idBytes);
    this.#lengths[chunk] = length;
    this.#ruleOf[chunk] = rule;
    this.#owners[chunk] = owner;
  }

  #ruleNumber(rule: ChunkRule): number {
    const known = this.#rules.findIndex(
      ({ cryptMode, verify }) => cryptMode === rule.cryptMode && verify === rule.verify,
    );
    return known >= 0 ? known : this.#rules.push(rule) - 1;
  }

  #grow(): void {
    this.#capacity *= 2;
    const bytes = (old: Uint8Array, each: number): Uint8Array<ArrayBuffer> => {
      const grown = new Uint8Array(this.#capacity * each);
      grown.set(old);
      return grown;
    };
    const words = (old: Uint32Array): Uint32Array<ArrayBuffer> => {
      const grown = new Uint32Array(this.#capacity);
      grown.set(old);
      return grown;
    };
    this.#ids = bytes(this.#ids, idBytes);
    this.#digests = bytes(this.#digests, idBytes);
    this.#lengths = words(this.#lengths);
    this.#ruleOf = bytes(this.#ruleOf, 1);
    this.#owners = words(this.#owners);
    this.#states = bytes(this.#states, 1);
  }
}
