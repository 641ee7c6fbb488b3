/** The recovery code: root and repository id on paper, needing no object of the store (repository format, section 3). */
import { BinaryReader, BinaryWriter } from '../../core/binary.ts';
import { concatBytes, equalBytes, fromHex, toHex } from '../../core/bytes.ts';
import { UsageError } from '../../core/errors.ts';
import { repositoryId, type RepositoryId } from '../../core/ids.ts';
import { Secret } from '../../core/secret.ts';
import { sha256 } from '../crypto/sha256.ts';

export interface Recovery {
  readonly repository: RepositoryId;
  /** Of the root. */
  readonly epoch: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

const version = 1;
const codeBytes = 55;
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const codeDigits = 88;
const groupDigits = 4;
/** Digits that look alike and that the code does not use. */
const lookAlikes: Readonly<Record<string, string>> = { '0': 'O', '1': 'I or L', '8': 'B' };

/** 22 groups of 4, with dashes between them. @throws RangeError for a value that does not fit. */
export function encodeRecoveryCode(recovery: Recovery): Secret {
  if (recovery.root.byteLength !== 32) throw new RangeError('a root has 32 bytes');
  if (recovery.epoch < 0 || recovery.epoch > 0xffff) throw new RangeError('the epoch does not fit the recovery code');
  const writer = new BinaryWriter(codeBytes).u8(version).u16(recovery.epoch);
  const content = writer.raw(fromHex(recovery.repository)).raw(recovery.root).finish();
  const text = base32(concatBytes(content, sha256(content).subarray(0, 4)));
  const groups: string[] = [];
  for (let at = 0; at < text.length; at += groupDigits) groups.push(text.slice(at, at + groupDigits));
  return new Secret(groups.join('-'));
}

/**
 * Reads what a person typed: lower case, spaces, line breaks and dashes do not matter.
 * @throws UsageError (`repository.password`) that says where the mistake is, as far as that can be told.
 */
export function decodeRecoveryCode(code: Secret): Recovery {
  const text = code
    .reveal()
    .replace(/[\s\-‐-―]/gu, '')
    .toUpperCase();
  refuseWrongDigit(text);
  if (text.length !== codeDigits) {
    throw wrong(`it has ${String(text.length)} letters and digits instead of ${String(codeDigits)}`);
  }
  const bytes = fromBase32(text);
  const content = bytes.subarray(0, codeBytes - 4);
  if (!equalBytes(sha256(content).subarray(0, 4), bytes.subarray(codeBytes - 4))) {
    throw wrong('its checksum does not fit, so at least one letter or digit is wrong');
  }
  const reader = new BinaryReader(content);
  if (reader.u8() !== version) throw wrong('it is from a newer version of Nestegg');
  const epoch = reader.u16();
  return { epoch, repository: repositoryId(toHex(reader.view(16))), root: reader.copy(32) };
}

function refuseWrongDigit(text: string): void {
  for (const [index, digit] of Array.from(text).entries()) {
    if (digits.includes(digit)) continue;
    const place = `group ${String(Math.floor(index / groupDigits) + 1)}, place ${String((index % groupDigits) + 1)}`;
    const meant = lookAlikes[digit];
    throw wrong(`${place} has ${JSON.stringify(digit)}${meant === undefined ? '' : `; is it ${meant}?`}`);
  }
}

function wrong(reason: string): UsageError {
  return new UsageError(`the recovery code is wrong: ${reason}`, {
    code: 'repository.password',
    hint: 'A recovery code has 22 groups of 4; it uses the letters A to Z and the digits 2 to 7.',
  });
}

function base32(bytes: Uint8Array): string {
  let text = '';
  let pending = 0;
  let bits = 0;
  for (const byte of bytes) {
    pending = (pending << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += digits.charAt((pending >>> (bits - 5)) & 31);
    pending &= 0xff;
  }
  return text;
}

function fromBase32(text: string): Uint8Array {
  const bytes = new Uint8Array((text.length * 5) / 8);
  let pending = 0;
  let bits = 0;
  let at = 0;
  for (const digit of text) {
    pending = ((pending & 0xff) << 5) | digits.indexOf(digit);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = (pending >>> bits) & 0xff;
  }
  return bytes;
}
