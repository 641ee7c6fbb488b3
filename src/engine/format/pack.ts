/** Packs: many sealed blobs, their sealed directory and a plain trailer in one object (repository format, section 5). */
import { createHash } from 'node:crypto';
import { CorruptionError, NesteggError } from '../../core/errors.ts';
import { packId, type BlobId, type PackId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import type { Codec } from '../compression/compress.ts';
import { opensTo, sealedOverhead, sealInto } from '../crypto/sealed-box.ts';
import { blobAssociatedData, checkEntry, type BlobKind, type PackEntry } from './blob.ts';
import type { PackKeys } from './sealing.ts';
import { limits } from './limits.ts';
import { padded } from './object.ts';
import {
  directoryAssociatedData,
  directoryLengthOf,
  encodeDirectory,
  encodeTrailer,
  trailerBytes,
} from './pack-directory.ts';

export interface PackBuilderOptions {
  readonly keys: PackKeys;
  /** Of the finished pack, padding included. One blob that needs more gets a pack of its own. At most 256 MiB. */
  readonly capacityBytes: number;
  /** Packs are padded to a multiple of this; else by Padmé. */
  readonly slabBytes?: number | undefined;
  readonly random: Random;
}

export interface BuiltPack {
  readonly id: PackId;
  /** Nothing else lies in its `ArrayBuffer`, which may be transferred to another thread; it is at most twice as long. */
  readonly bytes: Uint8Array;
  readonly entries: readonly PackEntry[];
  /** Of the keys that it is sealed with. */
  readonly epoch: number;
}

/**
 * Builds one pack in one buffer. Always seals with the newest epoch. Every blob is opened again and compared before it
 * counts as added, so that a fault of memory or processor is found while the content is still there.
 */
export class PackBuilder {
  readonly #options: PackBuilderOptions;
  readonly #epoch: number;
  readonly #salt: Uint8Array;
  readonly #entries: PackEntry[] = [];
  /** Allocated with the first blob. */
  #buffer = new Uint8Array(0);
  #used = 0;
  #finished = false;

  constructor(options: PackBuilderOptions) {
    if (options.capacityBytes > limits.packBytes) throw new RangeError('a pack has at most 256 MiB');
    this.#options = options;
    this.#epoch = options.keys.newestEpoch;
    this.#salt = options.random.bytes(32);
  }

  get count(): number {
    return this.#entries.length;
  }

  /** Sealed bytes of all blobs so far, without directory and padding. */
  get bytesUsed(): number {
    return this.#used;
  }

  /**
   * @param encoded as `encodeContent` made it; not kept.
   * @param plainLength bytes of the content before it was encoded.
   * @returns false, and nothing is added, when the pack is full: finish it and start another one. Never for the first.
   * @throws RangeError for a blob that the format does not allow; CorruptionError when it does not open again to the
   * same bytes (it is not added then).
   */
  add(kind: BlobKind, id: BlobId, codec: Codec, encoded: Uint8Array, plainLength: number): boolean {
    if (this.#finished) throw new NesteggError('internal', 'a blob was added to a finished pack');
    const sealedLength = encoded.byteLength + sealedOverhead;
    const entry: PackEntry = { kind, codec, id, offset: this.#used, sealedLength, plainLength };
    refuseImpossible(entry);
    if (!this.#makeRoom(sealedLength)) return false;
    const { keys } = this.#options;
    const ad = blobAssociatedData(keys.repositoryId, this.#epoch, entry);
    const key = keys.sealingKey('blob', this.#epoch);
    sealInto(this.#buffer, entry.offset, key, ad, encoded, this.#salt);
    const sealed = this.#buffer.subarray(entry.offset, entry.offset + sealedLength);
    if (!opensTo(key, ad, sealed, encoded)) {
      throw new CorruptionError('a blob that was just sealed opens to other bytes', {
        hint: 'Memory or processor of this machine make errors: test them before you trust its backups.',
      });
    }
    this.#used += sealedLength;
    this.#entries.push({ ...entry, id: id.slice() as BlobId });
    return true;
  }

  /** Ends the pack; the builder gives its buffer away. @throws NesteggError `internal` without any blob. */
  finish(): BuiltPack {
    if (this.#finished || this.#entries.length === 0) {
      throw new NesteggError('internal', 'a pack was finished twice, or without a blob');
    }
    this.#finished = true;
    const { keys, random } = this.#options;
    const directoryLength = directoryLengthOf(this.#entries.length);
    const length = this.#lengthWith(this.#entries.length, this.#used);
    const directoryOffset = length - trailerBytes - directoryLength;
    // A pack that is nearly full is not copied for the sake of a few bytes; a small one does not keep a large buffer.
    const isSmall = length * 2 < this.#buffer.byteLength;
    const bytes = isSmall ? this.#buffer.slice(0, length) : this.#buffer.subarray(0, length);
    bytes.set(random.bytes(directoryOffset - this.#used), this.#used);

    const hash = createHash('sha256').update(bytes.subarray(0, directoryOffset));
    const ad = directoryAssociatedData(keys, this.#epoch, new Uint8Array(hash.copy().digest()));
    const key = keys.sealingKey('directory', this.#epoch);
    sealInto(bytes, directoryOffset, key, ad, encodeDirectory(this.#entries), this.#salt);
    bytes.set(encodeTrailer({ epoch: this.#epoch, directoryOffset, directoryLength }), length - trailerBytes);
    const id = packId(hash.update(bytes.subarray(directoryOffset)).digest('hex'));
    this.#buffer = new Uint8Array(0);
    return { id, bytes, entries: this.#entries, epoch: this.#epoch };
  }

  /** Length of the finished pack with that many blobs. */
  #lengthWith(count: number, sealedBytes: number): number {
    const length = sealedBytes + directoryLengthOf(count) + trailerBytes;
    const { slabBytes } = this.#options;
    return slabBytes === undefined ? padded(length) : Math.ceil(length / slabBytes) * slabBytes;
  }

  #makeRoom(sealedLength: number): boolean {
    const length = this.#lengthWith(this.count + 1, this.#used + sealedLength);
    if (this.count === 0) {
      if (length > limits.packBytes) throw new RangeError('a pack of this blob alone would be too large');
      this.#buffer = new Uint8Array(Math.max(length, this.#options.capacityBytes));
      return true;
    }
    return length <= this.#buffer.byteLength && this.count < limits.blobsInPack;
  }
}

function refuseImpossible(entry: PackEntry): void {
  try {
    checkEntry(entry, limits.packBytes);
  } catch (error) {
    throw new RangeError('this blob cannot be stored', { cause: error });
  }
}
