/** Journal entries as bytes: header, chain, sealed body, signature (repository format, section 7). */
import { BinaryReader, BinaryWriter, DecodeError } from '../../core/binary.ts';
import { concatBytes, fromHex, toHex } from '../../core/bytes.ts';
import { CorruptionError } from '../../core/errors.ts';
import { entryId, writerId, type EntryId, type WriterId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import { publicKeyOf, sign, signatureBytes, verify } from '../crypto/ed25519.ts';
import { open, seal, sealedOverhead } from '../crypto/sealed-box.ts';
import { sha256Hex } from '../crypto/sha256.ts';
import { encodeBody, understandBody, type EntryBody, type KnownBody, type Role } from './entry-body.ts';
import type { PackKeys } from './sealing.ts';
import { limits } from './limits.ts';
import { entryName, parseObjectName } from './names.ts';
import { associatedData, decodeEnvelope, decodeHeader, encodeEnvelope, encodeHeader, padded } from './object.ts';

const chainBytes = 88;
const zeros = new Uint8Array(32);

export interface EntryInput {
  readonly keys: PackKeys;
  /** Ed25519 seed of the writer. */
  readonly seed: Uint8Array;
  /** From 1, one more than that of `previous`. */
  readonly sequence: number;
  /** The writer's previous entry; null for its first. */
  readonly previous: EntryId | null;
  readonly body: KnownBody;
  readonly random: Random;
}

export interface EncodedEntry {
  readonly id: EntryId;
  /** Of the object. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface DecodedEntry {
  readonly outcome: 'ok';
  readonly id: EntryId;
  readonly writer: WriterId;
  readonly sequence: number;
  readonly previous: EntryId | null;
  /** Who must understand it, as its header says. */
  readonly roles: readonly Role[];
  readonly body: EntryBody;
}

/** `damaged`: the bytes do not match the name. `foreign`: they do, but no writer of this repository made them. */
export type EntryOutcome = DecodedEntry | { readonly outcome: 'damaged' | 'foreign'; readonly reason: string };

const roleBits: Readonly<Record<Role, number>> = { read: 1, write: 2, maintain: 4 };

function rolesOf(mask: number): readonly Role[] {
  return (['read', 'write', 'maintain'] as const).filter((role) => (mask & roleBits[role]) !== 0);
}

/** Bytes of the object that `encodeEntry` would make: entries over 64 KiB have to be split. */
export function entryObjectBytes(body: KnownBody): number {
  return chainBytes + sealedOverhead + padded(9 + encodeBody(body).content.byteLength) + signatureBytes;
}

/** @throws RangeError when the object would be longer than 64 KiB, or the chain is impossible. */
export function encodeEntry(input: EntryInput): EncodedEntry {
  const { keys, seed, sequence, previous, body, random } = input;
  if (sequence < 1 || (sequence === 1) !== (previous === null)) {
    throw new RangeError('only the first entry of a writer has no previous one');
  }
  const epoch = keys.newestEpoch;
  const { content, roles } = encodeBody(body);
  const mask = roles.reduce((bits, role) => bits | roleBits[role], 0);
  const publicKey = publicKeyOf(seed);
  const chain = new BinaryWriter(chainBytes).raw(encodeHeader('entry', { roles: mask, epoch })).raw(publicKey);
  chain.u64(sequence).raw(previous === null ? zeros : fromHex(previous));
  const ahead = chain.finish();
  const ad = associatedData(keys.repositoryId, 'entry', epoch, ahead);
  const box = seal(keys.sealingKey('entry', epoch), ad, encodeEnvelope(content, 'off'), random.bytes(32));
  const signed = concatBytes(ahead, box);
  const bytes = concatBytes(signed, sign(seed, signed));
  if (bytes.byteLength > limits.entryObjectBytes) throw new RangeError('a journal entry is longer than 64 KiB');
  const id = entryId(sha256Hex(bytes));
  return { id, name: entryName(writerId(toHex(publicKey)), sequence, id), bytes };
}

/**
 * Never throws for what the store returned. An entry that is authentic but not understood is `ok` with a body of kind
 * `unknown`: those of its roles that are needed for a work forbid that work.
 * @param name of the object.
 */
export function decodeEntry(keys: PackKeys, name: string, bytes: Uint8Array): EntryOutcome {
  const parsed = parseObjectName(name);
  if (parsed?.type !== 'entry') return { outcome: 'foreign', reason: 'its name is not that of a journal entry' };
  if (sha256Hex(bytes) !== parsed.id) return { outcome: 'damaged', reason: 'its bytes do not match its name' };
  try {
    if (bytes.byteLength > limits.entryObjectBytes) throw new DecodeError('it is longer than entries may be');
    const { mask, epoch, previous } = readChain(bytes, parsed.writer, parsed.sequence);
    const signatureAt = bytes.byteLength - signatureBytes;
    if (!verify(fromHex(parsed.writer), bytes.subarray(0, signatureAt), bytes.subarray(signatureAt))) {
      throw new DecodeError('its signature is wrong');
    }
    const ad = associatedData(keys.repositoryId, 'entry', epoch, bytes.subarray(0, chainBytes));
    const envelope = open(keys.sealingKey('entry', epoch), ad, bytes.subarray(chainBytes, signatureAt));
    const content = decodeEnvelope(envelope, limits.entryObjectBytes);
    const roles = rolesOf(mask);
    const { writer, sequence, id } = parsed;
    return { outcome: 'ok', id, writer, sequence, previous, roles, body: understandBody(content, roles) };
  } catch (error) {
    if (error instanceof DecodeError || error instanceof CorruptionError) {
      return { outcome: 'foreign', reason: error.message };
    }
    throw error;
  }
}

function readChain(
  bytes: Uint8Array,
  writer: WriterId,
  sequence: number,
): { readonly mask: number; readonly epoch: number; readonly previous: EntryId | null } {
  const { roles: mask, epoch } = decodeHeader('entry', bytes);
  const reader = new BinaryReader(bytes);
  reader.view(16);
  if (toHex(reader.view(32)) !== writer) throw new DecodeError('it names another writer than its name');
  if (reader.u64() !== sequence) throw new DecodeError('it has another sequence than its name');
  const previous = reader.view(32);
  const first = previous.every((byte) => byte === 0);
  if (first !== (sequence === 1)) throw new DecodeError('only the first entry of a writer has no previous one');
  if (reader.remaining < sealedOverhead + signatureBytes) throw new DecodeError('it is cut short');
  return { mask, epoch, previous: first ? null : entryId(toHex(previous)) };
}
