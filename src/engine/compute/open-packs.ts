import type { BlobId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import type { RepositoryKeys } from '../format/keys.ts';
import { limits } from '../format/limits.ts';
import { PackBuilder, type BuiltPack } from '../format/pack.ts';
import { openBlob } from '../format/blob.ts';
import type { PackCredit } from './pack-credit.ts';

export interface OpenPacksOptions {
  /** Number of the repository in the pool. */
  readonly repository: number;
  readonly keys: RepositoryKeys;
  readonly packBytes: number;
  readonly slabBytes: number | undefined;
  /** How many are filled at once, one of them chosen at random for every blob. */
  readonly openPacks: number;
  readonly credit: PackCredit;
  readonly random: Random;
  /** Takes a finished pack, and with it the credit that it holds. */
  readonly ship: (pack: BuiltPack) => void;
}

/** Credit that one pack of a repository takes: its buffer, which grows beyond the wish only for one very large blob. */
export function packCost(packBytes: number): number {
  return Math.max(packBytes, limits.plainBlobBytes + 2 ** 20);
}

/** The packs of one repository that one worker fills. */
export class OpenPacks {
  readonly #options: OpenPacksOptions;
  readonly #open: (PackBuilder | undefined)[];

  constructor(options: OpenPacksOptions) {
    this.#options = options;
    this.#open = new Array<PackBuilder | undefined>(options.openPacks).fill(undefined);
  }

  /**
   * Seals one PBS chunk; `blob` is not kept. Blocks until there is credit for a pack. Does nothing once the repository
   * was dropped. @throws CorruptionError when sealing proves the machine to be faulty.
   */
  add(id: BlobId, blob: Uint8Array): void {
    const { credit, repository, random } = this.#options;
    const slot = this.#open.length === 1 ? 0 : random.below(this.#open.length);
    if (credit.isDropped(repository)) {
      this.#abandon();
      return;
    }
    const filling = this.#open[slot];
    if (filling?.add('pbs-chunk', id, 0, blob, blob.byteLength) === true) return;
    if (filling) {
      this.#open[slot] = undefined;
      this.#options.ship(filling.finish());
    }
    const fresh = this.#start();
    if (!fresh) {
      this.#abandon();
      return;
    }
    this.#open[slot] = fresh;
    fresh.add('pbs-chunk', id, 0, blob, blob.byteLength);
  }

  /** What is left of one or more packs, merged where that saves a pack; nothing stays open. */
  takeLeftovers(): BuiltPack[] {
    const builders = this.#open.filter((builder) => builder !== undefined);
    this.#open.fill(undefined);
    if (this.#options.credit.isDropped(this.#options.repository)) {
      this.#giveBack(builders.length);
      return [];
    }
    builders.sort((a, b) => b.bytesUsed - a.bytesUsed);
    const [largest, ...others] = builders;
    if (!largest) return [];
    const kept: BuiltPack[] = [];
    for (const other of others) {
      const pack = other.finish();
      if (this.#merge(largest, pack)) this.#giveBack(1);
      else kept.push(pack);
    }
    return [largest.finish(), ...kept];
  }

  /**
   * Takes the blobs of another worker's leftovers into an open pack. False, and nothing is changed, when they do not fit.
   * On success the credit that the pack held is given back.
   */
  absorb(pack: Pick<BuiltPack, 'bytes' | 'entries' | 'epoch'>): boolean {
    if (this.#options.credit.isDropped(this.#options.repository)) {
      this.#giveBack(1);
      return true;
    }
    const merged = this.#open.some((builder) => builder !== undefined && this.#merge(builder, pack));
    if (merged) this.#giveBack(1);
    return merged;
  }

  /** Sealed bytes do not depend on the pack they lie in, but opening them proves that they are still whole. */
  #merge(target: PackBuilder, pack: Pick<BuiltPack, 'bytes' | 'entries' | 'epoch'>): boolean {
    const sealed = pack.entries.reduce((sum, entry) => sum + entry.sealedLength, 0);
    const directory = 64 * (pack.entries.length + target.count) + 4096;
    // Padding adds at most 12 %, so that `add` below cannot refuse half-way.
    if ((target.bytesUsed + sealed + directory) * 1.13 > this.#options.packBytes) return false;
    for (const entry of pack.entries) {
      const bytes = pack.bytes.subarray(entry.offset, entry.offset + entry.sealedLength);
      const content = openBlob(this.#options.keys, pack.epoch, entry, bytes);
      if (!target.add(entry.kind, entry.id, 0, content, content.byteLength)) {
        throw new RangeError('leftovers did not fit after all');
      }
    }
    return true;
  }

  #start(): PackBuilder | undefined {
    const { credit, repository, keys, packBytes, slabBytes, random } = this.#options;
    if (!credit.take(packCost(packBytes), repository)) return undefined;
    return new PackBuilder({ keys, capacityBytes: packBytes, slabBytes, random });
  }

  #abandon(): void {
    this.#giveBack(this.#open.filter((builder) => builder !== undefined).length);
    this.#open.fill(undefined);
  }

  #giveBack(packs: number): void {
    for (let left = packs; left > 0; left -= 1) this.#options.credit.give(packCost(this.#options.packBytes));
  }
}
