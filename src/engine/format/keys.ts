/** The keys of one repository, derived from its roots (repository format, section 3). */
import { fromHex, utf8 } from '../../core/bytes.ts';
import { blobId, type BlobId, type RepositoryId } from '../../core/ids.ts';
import { CorruptionError } from '../../core/errors.ts';
import { hkdfSha256 } from '../crypto/hkdf.ts';
import { KeyedBlake3 } from '../crypto/blake3.ts';
import { SealingKey } from '../crypto/sealed-box.ts';
import { blobKindNumber, type BlobKind, type BlobRef } from './blob.ts';
import type { PackKeys, SealingPurpose } from './sealing.ts';

/** Key material as plain values, to be handed to a worker thread or process of ours; never to be stored or logged. */
export interface ExportedKeys {
  readonly repositoryId: RepositoryId;
  readonly roots: readonly Uint8Array[];
}

/** HKDF-SHA256 with the repository id as salt and `nestegg 1 <purpose>` as info. */
export function deriveKey(secret: Uint8Array, repository: RepositoryId, purpose: string, length: number): Uint8Array {
  return hkdfSha256(secret, fromHex(repository), utf8(`nestegg 1 ${purpose}`), length);
}

/** Immutable. Needs `loadBlake3()`. */
export class RepositoryKeys implements PackKeys {
  readonly repositoryId: RepositoryId;
  readonly #roots: readonly Uint8Array[];
  readonly #blobId: KeyedBlake3;
  readonly #sealing = new Map<string, SealingKey>();
  /** Kind, length and digest of the blob whose id is being made: one buffer, because there are millions of them. */
  readonly #identity = new Uint8Array(37);
  readonly #identityView = new DataView(this.#identity.buffer);

  private constructor(repositoryId: RepositoryId, roots: readonly Uint8Array[]) {
    const first = roots[0];
    if (first === undefined) throw new RangeError('a repository has at least one root');
    if (roots.some((root) => root.byteLength !== 32)) throw new RangeError('a root has 32 bytes');
    this.repositoryId = repositoryId;
    this.#roots = roots.map((root) => root.slice());
    this.#blobId = new KeyedBlake3(deriveKey(first, repositoryId, 'blob id', 32));
  }

  /** @param roots root 0, root 1, …, all of them. @throws RangeError for none, or one that has not 32 bytes. */
  static derive(repositoryId: RepositoryId, roots: readonly Uint8Array[]): RepositoryKeys {
    return new RepositoryKeys(repositoryId, roots);
  }

  static import(exported: ExportedKeys): RepositoryKeys {
    return new RepositoryKeys(exported.repositoryId, exported.roots);
  }

  export(): ExportedKeys {
    return { repositoryId: this.repositoryId, roots: this.#roots.map((root) => root.slice()) };
  }

  /** The one epoch that seals. */
  get newestEpoch(): number {
    return this.#roots.length - 1;
  }

  /** The identity of a blob in this repository. */
  blobId(kind: BlobKind, ref: BlobRef): BlobId {
    this.#identity[0] = blobKindNumber(kind);
    this.#identityView.setUint32(1, ref.length, true);
    this.#identity.set(ref.digest, 5);
    return blobId(this.#blobId.digest(this.#identity));
  }

  /** @throws CorruptionError (`repository.foreign`) for an epoch newer than these keys. */
  sealingKey(purpose: SealingPurpose, epoch: number): SealingKey {
    const name = `${String(epoch)} ${purpose}`;
    const known = this.#sealing.get(name);
    if (known !== undefined) return known;
    const key = new SealingKey(deriveKey(this.#root(epoch), this.repositoryId, purpose, 64));
    this.#sealing.set(name, key);
    return key;
  }

  /** A copy of the root of the newest epoch: what a new key slot or recovery code holds. */
  newestRoot(): Uint8Array {
    return this.#root(this.newestEpoch).slice();
  }

  #root(epoch: number): Uint8Array {
    const root = this.#roots[epoch];
    if (root === undefined) {
      throw new CorruptionError(
        `key epoch ${String(epoch)} is not one of this key (0 to ${String(this.newestEpoch)})`,
        {
          code: 'repository.foreign',
          hint: 'Open the repository with a key that was made after its keys were changed.',
        },
      );
    }
    return root;
  }
}
