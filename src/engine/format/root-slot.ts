/** The root slot: what whoever knows a root may know besides, without any password (repository format, section 3). */
import { DecodeError } from '../../core/binary.ts';
import { toHex } from '../../core/bytes.ts';
import { decoding } from '../../core/errors.ts';
import type { RepositoryId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import { utf8 } from '../../core/bytes.ts';
import { open, seal, SealingKey } from '../crypto/sealed-box.ts';
import { canonicalJson, hexBytes, integer, oneOf, parseJson, record, type Shape } from './json.ts';
import type { SlotSecrets } from './key-slot.ts';
import { deriveKey } from './keys.ts';
import { limits } from './limits.ts';
import { keySlotName, parseObjectName } from './names.ts';
import { associatedData } from './object.ts';
import { featureFields, repositoryIds, type Features } from './shapes.ts';

export type RootSlotContent = Omit<SlotSecrets, 'root'>;

const contents: Shape<RootSlotContent> = record({
  owner: hexBytes(32),
  chunker: record({ id: hexBytes(16), secret: hexBytes(32) }),
  features: record<Features>(featureFields),
});

const slots = record({
  magic: oneOf('nestegg key'),
  format: oneOf(1),
  type: oneOf('root'),
  id: hexBytes(16),
  repository: repositoryIds,
  epoch: integer(0, 2 ** 32 - 1),
  box: hexBytes(40, limits.keySlotBytes),
});

export interface RootSlotInput {
  readonly repository: RepositoryId;
  readonly epoch: number;
  /** Root of that epoch, 32 bytes. */
  readonly root: Uint8Array;
}

export function createRootSlot(input: RootSlotInput & { readonly content: RootSlotContent; readonly random: Random }): {
  readonly name: string;
  readonly bytes: Uint8Array;
} {
  const { repository, epoch, root, content, random } = input;
  const id = random.bytes(16);
  const plain = canonicalJson(contents.encode(content));
  const box = seal(sealingKey(root, repository), slotAssociatedData(repository, epoch, id), plain, random.bytes(32));
  const slot = { magic: 'nestegg key', format: 1, type: 'root', id, repository, epoch, box } as const;
  return { name: keySlotName(toHex(id)), bytes: canonicalJson(slots.encode(slot)) };
}

/** @throws CorruptionError when it is no root slot of this repository and epoch. */
export function openRootSlot(
  input: RootSlotInput & { readonly name: string; readonly bytes: Uint8Array },
): RootSlotContent {
  const { repository, epoch, root, name, bytes } = input;
  return decoding(`the key slot ${name}`, () => {
    const slot = slots.decode(parseJson(bytes, limits.keySlotBytes), 'slot');
    const parsed = parseObjectName(name);
    if (parsed?.type !== 'key-slot' || parsed.id !== toHex(slot.id))
      throw new DecodeError('its id is not that of its name');
    if (slot.repository !== repository || slot.epoch !== epoch)
      throw new DecodeError('it is of another repository or epoch');
    const plain = open(sealingKey(root, repository), slotAssociatedData(repository, epoch, slot.id), slot.box);
    return contents.decode(parseJson(plain, limits.keySlotBytes), 'slot');
  });
}

function sealingKey(root: Uint8Array, repository: RepositoryId): SealingKey {
  return new SealingKey(deriveKey(root, repository, 'root slot', 64));
}

function slotAssociatedData(repository: RepositoryId, epoch: number, id: Uint8Array): Uint8Array {
  return associatedData(repository, 'rootSlot', epoch, id, utf8('root'));
}
