/**
 * DataBlob: the envelope of every `.blob` file and every chunk file. A blob is a magic, a CRC-32 of everything after
 * the header and the data, which is plain, one zstd frame, or either of them encrypted with AES-256-GCM (16-byte IV,
 * 16-byte tag, no associated data). Compression comes before encryption; digests are always of the original data.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { asBuffer, asBytes, toHex } from '../../core/bytes.ts';
import { CorruptionError, SourceError, messageOf } from '../../core/errors.ts';
import { zstdCompress, zstdDecompress } from '../compression/zstd.ts';
import type { EncryptionKey } from './keys.ts';

export type BlobEncoding = 'plain' | 'zstd' | 'encrypted' | 'zstd-encrypted';

export interface BlobHeader {
  readonly encoding: BlobEncoding;
  readonly compressed: boolean;
  readonly encrypted: boolean;
  /** 12 bytes, or 44 with IV and tag. */
  readonly headerBytes: number;
  readonly crc: number;
}

const plainHeaderBytes = 12;
const encryptedHeaderBytes = 44;
const ivOffset = 12;
const tagOffset = 28;

/** Most data one chunk can hold. */
export const maxChunkBytes = 16 * 1024 * 1024;
/** Largest chunk file: data that neither shrank nor stayed plain. */
export const maxChunkFileBytes = maxChunkBytes + encryptedHeaderBytes;
/** Most data any blob can hold. */
export const maxBlobBytes = 128 * 1024 * 1024;

/** First 8 bytes of the SHA-256 of `Proxmox Backup … blob v1.0`. */
const magics: Readonly<Record<BlobEncoding, string>> = {
  plain: '42ab3807be8370a1',
  zstd: '31b958426fb6a37f',
  encrypted: '7b6785be222d4cf0',
  'zstd-encrypted': 'e6591bbf0bbfd80b',
};

const encodingOfMagic: ReadonlyMap<string, BlobEncoding> = new Map(
  (Object.keys(magics) as BlobEncoding[]).map((encoding) => [magics[encoding], encoding]),
);

/** @throws CorruptionError (`pbs.format`) unless the bytes begin with a whole header. */
export function readBlobHeader(blob: Uint8Array): BlobHeader {
  if (blob.byteLength < plainHeaderBytes) throw malformed(`has ${String(blob.byteLength)} bytes, too few for a blob`);
  const encoding = encodingOfMagic.get(toHex(blob.subarray(0, 8)));
  if (encoding === undefined) throw malformed('does not begin with the magic of a blob');
  const encrypted = encoding === 'encrypted' || encoding === 'zstd-encrypted';
  const headerBytes = encrypted ? encryptedHeaderBytes : plainHeaderBytes;
  if (blob.byteLength < headerBytes) throw malformed(`has ${String(blob.byteLength)} bytes, too few for its kind`);
  return {
    encoding,
    compressed: encoding === 'zstd' || encoding === 'zstd-encrypted',
    encrypted,
    headerBytes,
    crc: asBuffer(blob).readUInt32LE(8),
  };
}

/** Whether the CRC in the header is that of the data after it. IV and tag of an encrypted blob are not covered. */
export function crcMatches(blob: Uint8Array, header: BlobHeader): boolean {
  return crc32(asBuffer(blob.subarray(header.headerBytes))) === header.crc;
}

export interface DecodeOptions {
  /** Most bytes the original data may have; checked before and while unpacking. */
  readonly maxLength: number;
  readonly key?: EncryptionKey | undefined;
}

/**
 * The original data; for a plain blob a view of `blob`, else new memory.
 * @throws CorruptionError (`pbs.format`, `source.corrupt`); SourceError (`source.unsupported`) for an encrypted blob without a key.
 */
export function decodeBlob(blob: Uint8Array, options: DecodeOptions): Uint8Array {
  const header = readBlobHeader(blob);
  if (!crcMatches(blob, header)) throw damaged('its CRC does not match');
  return decodeContent(blob, header, options);
}

/** `decodeBlob` for a blob whose header was read and whose CRC was checked already. */
export function decodeContent(blob: Uint8Array, header: BlobHeader, options: DecodeOptions): Uint8Array {
  const stored = blob.subarray(header.headerBytes);
  const packed = header.encrypted ? decrypt(blob, stored, options.key) : stored;
  if (header.compressed) return decompress(packed, options.maxLength);
  if (packed.byteLength > options.maxLength) throw damaged(`it holds more than ${String(options.maxLength)} bytes`);
  return packed;
}

export interface EncodeOptions {
  /** zstd level; left out: the data is stored as it is. It also is when compression would not make it smaller. */
  readonly level?: number | undefined;
  /** `iv`: 16 bytes, never used twice with one key. */
  readonly encryption?: { readonly key: EncryptionKey; readonly iv: Uint8Array } | undefined;
}

/** A new blob. @throws RangeError for more than 128 MiB of data or an IV of another length than 16. */
export function encodeBlob(data: Uint8Array, options: EncodeOptions = {}): Uint8Array {
  if (data.byteLength > maxBlobBytes) throw new RangeError('a blob holds at most 128 MiB');
  const smaller = options.level === undefined ? undefined : shrink(data, options.level);
  const packed = smaller ?? data;
  if (options.encryption === undefined) return seal(smaller ? 'zstd' : 'plain', packed);
  const { key, iv } = options.encryption;
  if (iv.byteLength !== 16) throw new RangeError('the IV of a blob has 16 bytes');
  const cipher = createCipheriv('aes-256-gcm', key.reveal(), iv);
  const body = cipher.update(packed);
  cipher.final();
  return seal(smaller ? 'zstd-encrypted' : 'encrypted', body, { iv, tag: cipher.getAuthTag() });
}

function shrink(data: Uint8Array, level: number): Uint8Array | undefined {
  const compressed = zstdCompress(data, level);
  return compressed.byteLength < data.byteLength ? compressed : undefined;
}

function seal(
  encoding: BlobEncoding,
  body: Uint8Array,
  auth?: { readonly iv: Uint8Array; readonly tag: Uint8Array },
): Uint8Array {
  const headerBytes = auth ? encryptedHeaderBytes : plainHeaderBytes;
  const blob = new Uint8Array(headerBytes + body.byteLength);
  blob.set(Buffer.from(magics[encoding], 'hex'));
  asBuffer(blob).writeUInt32LE(crc32(asBuffer(body)), 8);
  if (auth) {
    blob.set(auth.iv, ivOffset);
    blob.set(auth.tag, tagOffset);
  }
  blob.set(body, headerBytes);
  return blob;
}

function decrypt(blob: Uint8Array, stored: Uint8Array, key: EncryptionKey | undefined): Uint8Array {
  if (key === undefined) {
    throw new SourceError('source.unsupported', 'the blob is encrypted and no key for it was given', {
      hint: 'Name the encryption key file of this backup.',
    });
  }
  const decipher = createDecipheriv('aes-256-gcm', key.reveal(), blob.subarray(ivOffset, tagOffset));
  decipher.setAuthTag(blob.subarray(tagOffset, encryptedHeaderBytes));
  const plain = decipher.update(stored);
  try {
    decipher.final();
  } catch (error) {
    throw damaged('it does not open with this key', error);
  }
  return asBytes(plain);
}

function decompress(frame: Uint8Array, maxLength: number): Uint8Array {
  try {
    return zstdDecompress(frame, maxLength);
  } catch (error) {
    if (error instanceof CorruptionError) throw damaged(messageOf(error), error);
    throw error;
  }
}

function malformed(reason: string): CorruptionError {
  return new CorruptionError(`the file ${reason}`, { code: 'pbs.format' });
}

function damaged(reason: string, cause?: unknown): CorruptionError {
  return new CorruptionError(`the blob is damaged: ${reason}`, { code: 'source.corrupt', cause });
}
