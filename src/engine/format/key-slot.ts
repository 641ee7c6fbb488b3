/** Key slots: what a password opens (repository format, section 3). */
import { timingSafeEqual } from 'node:crypto';
import { DecodeError } from '../../core/binary.ts';
import { toHex, utf8 } from '../../core/bytes.ts';
import { decoding, NesteggError } from '../../core/errors.ts';
import type { RepositoryId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import type { Secret } from '../../core/secret.ts';
import { argon2id, checkParams, type Argon2Params } from '../crypto/argon2.ts';
import { open, seal, SealingKey } from '../crypto/sealed-box.ts';
import { canonicalJson, hexBytes, integer, isObject, oneOf, parseJson, record, type Shape } from './json.ts';
import { deriveKey } from './keys.ts';
import { limits } from './limits.ts';
import { keySlotName, parseObjectName } from './names.ts';
import { associatedData, u32Field } from './object.ts';
import { featureFields, repositoryIds, type Features } from './shapes.ts';

/** What a password slot gives: enough to read, write and, with the owner's grant, maintain. */
export interface SlotSecrets {
  /** Root of the slot's epoch. */
  readonly root: Uint8Array;
  /** Ed25519 public key of the owner. */
  readonly owner: Uint8Array;
  /** Common to all repositories of a family: 16 and 32 bytes. */
  readonly chunker: { readonly id: Uint8Array; readonly secret: Uint8Array };
  readonly features: Features;
}

/** What an owner slot gives: the right to grant roles. */
export interface OwnerSecrets {
  /** Ed25519 seed. */
  readonly ownerSeed: Uint8Array;
}

interface SecretsByType {
  readonly password: SlotSecrets;
  readonly owner: OwnerSecrets;
}

export type SlotType = keyof SecretsByType;

/** A slot as it is stored: nothing in it is authenticated before it was opened. */
export interface KeySlot {
  readonly type: SlotType;
  /** 16 bytes. */
  readonly id: Uint8Array;
  readonly repository: RepositoryId;
  /** Of the root in it. */
  readonly epoch: number;
  readonly kdf: Argon2Params;
  readonly commitment: Uint8Array;
  readonly box: Uint8Array;
}

const secretShapes: { readonly [Type in SlotType]: Shape<SecretsByType[Type]> } = {
  password: record({
    root: hexBytes(32),
    owner: hexBytes(32),
    chunker: record({ id: hexBytes(16), secret: hexBytes(32) }),
    features: record<Features>(featureFields),
  }),
  owner: record({ ownerSeed: hexBytes(32) }),
};

const objectKindOf = { password: 'keySlot', owner: 'ownerSlot' } as const;

const u32 = integer(0, 2 ** 32 - 1);

const slots = record({
  magic: oneOf('nestegg key'),
  format: oneOf(1),
  type: oneOf<SlotType>('password', 'owner'),
  id: hexBytes(16),
  repository: repositoryIds,
  epoch: u32,
  kdf: record({ name: oneOf('argon2id'), memoryKiB: u32, passes: u32, lanes: u32, salt: hexBytes(16) }),
  commitment: hexBytes(32),
  box: hexBytes(40, limits.keySlotBytes),
});

/**
 * Seals the secrets under a password.
 * @throws RangeError for Argon2 parameters outside of the limits.
 */
export async function createKeySlot<Type extends SlotType>(input: {
  readonly type: Type;
  readonly repository: RepositoryId;
  readonly epoch: number;
  readonly password: Secret;
  readonly cost: Omit<Argon2Params, 'salt'>;
  readonly secrets: SecretsByType[Type];
  readonly random: Random;
}): Promise<{ readonly name: string; readonly bytes: Uint8Array }> {
  const { type, repository, epoch, password, secrets, random } = input;
  const { memoryKiB, passes, lanes } = input.cost;
  const kdf: Argon2Params = { memoryKiB, passes, lanes, salt: random.bytes(16) };
  const derived = await argon2id(password, kdf);
  const id = random.bytes(16);
  const slot = { type, id, repository, epoch, kdf };
  const plain = canonicalJson(secretShapes[type].encode(secrets));
  const box = seal(wrappingKey(derived, repository), slotAssociatedData(slot), plain, random.bytes(32));
  const bytes = canonicalJson(
    slots.encode({
      ...slot,
      magic: 'nestegg key',
      format: 1,
      kdf: { name: 'argon2id', ...kdf },
      commitment: derived.subarray(32),
      box,
    }),
  );
  return { name: keySlotName(toHex(id)), bytes };
}

/**
 * A slot as stored, checked against its name and the limits of Argon2.
 * @returns `undefined` for a slot of a newer format or of another type: not for us.
 * @throws CorruptionError.
 */
export function decodeKeySlot(name: string, bytes: Uint8Array): KeySlot | undefined {
  return decoding(`the key slot ${name}`, () => {
    const value = parseJson(bytes, limits.keySlotBytes);
    if (isForLater(value)) return undefined;
    const { type, id, repository, epoch, kdf, commitment, box } = slots.decode(value, 'slot');
    const parsed = parseObjectName(name);
    if (parsed?.type !== 'key-slot' || parsed.id !== toHex(id)) throw new DecodeError('its id is not that of its name');
    const { memoryKiB, passes, lanes, salt } = kdf;
    const params: Argon2Params = { memoryKiB, passes, lanes, salt };
    checkParams(params);
    return { type, id, repository, epoch, kdf: params, commitment, box };
  });
}

/** Opens a slot with its password; takes as long, and as much memory, as its Argon2 parameters say. */
export async function openKeySlot<Type extends SlotType>(
  slot: KeySlot & { readonly type: Type },
  password: Secret,
): Promise<SecretsByType[Type]> {
  const derived = await argon2id(password, slot.kdf);
  if (!timingSafeEqual(derived.subarray(32), slot.commitment)) {
    throw new NesteggError('repository.password', `the password does not open key slot ${toHex(slot.id)}`, {
      hint: 'Check the password, or use the recovery code.',
    });
  }
  const { type } = slot;
  const plain = open(wrappingKey(derived, slot.repository), slotAssociatedData(slot), slot.box);
  return decoding(`the content of key slot ${toHex(slot.id)}`, () =>
    secretShapes[type].decode(parseJson(plain, limits.keySlotBytes), 'slot'),
  );
}

/** Narrows a slot by its type. */
export function isSlotOf<Type extends SlotType>(slot: KeySlot, type: Type): slot is KeySlot & { readonly type: Type } {
  return slot.type === type;
}

function isForLater(value: unknown): boolean {
  if (!isObject(value) || value['magic'] !== 'nestegg key') return false;
  const { format, type } = value;
  const newer = Number.isInteger(format) && format !== 1;
  const otherType = format === 1 && typeof type === 'string' && !Object.hasOwn(secretShapes, type);
  return newer || otherType;
}

function wrappingKey(derived: Uint8Array, repository: RepositoryId): SealingKey {
  return new SealingKey(deriveKey(derived.subarray(0, 32), repository, 'slot', 64));
}

function slotAssociatedData(slot: Pick<KeySlot, 'type' | 'id' | 'repository' | 'epoch' | 'kdf'>): Uint8Array {
  const { memoryKiB, passes, lanes, salt } = slot.kdf;
  return associatedData(
    slot.repository,
    objectKindOf[slot.type],
    slot.epoch,
    slot.id,
    utf8(slot.type),
    u32Field(memoryKiB),
    u32Field(passes),
    u32Field(lanes),
    salt,
  );
}
