/** Roots of former epochs, each sealed under the next one (repository format, section 3). */
import { CorruptionError } from '../../core/errors.ts';
import type { RepositoryId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import { open, seal, SealingKey } from '../crypto/sealed-box.ts';
import { sha256Hex } from '../crypto/sha256.ts';
import { deriveKey } from './keys.ts';
import { wrappedRootName } from './names.ts';
import { associatedData } from './object.ts';

/** @param epoch of `root`; `next` is that of the epoch after it. */
export function wrapRoot(input: {
  readonly repository: RepositoryId;
  readonly epoch: number;
  readonly root: Uint8Array;
  readonly next: Uint8Array;
  readonly random: Random;
}): { readonly name: string; readonly bytes: Uint8Array } {
  const { repository, epoch, root, next, random } = input;
  const ad = associatedData(repository, 'wrappedRoot', epoch + 1);
  const bytes = seal(wrappingKey(next, repository), ad, root, random.bytes(32));
  return { name: wrappedRootName(epoch, sha256Hex(bytes)), bytes };
}

/** Root `epoch` from the root after it. @throws CorruptionError. */
export function unwrapRoot(input: {
  readonly repository: RepositoryId;
  readonly epoch: number;
  readonly next: Uint8Array;
  readonly bytes: Uint8Array;
}): Uint8Array {
  const { repository, epoch, next, bytes } = input;
  const root = open(wrappingKey(next, repository), associatedData(repository, 'wrappedRoot', epoch + 1), bytes);
  if (root.byteLength !== 32) throw new CorruptionError(`root ${String(epoch)} has the wrong length`);
  return root;
}

function wrappingKey(root: Uint8Array, repository: RepositoryId): SealingKey {
  return new SealingKey(deriveKey(root, repository, 'wrapped root', 64));
}
