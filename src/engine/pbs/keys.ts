/**
 * Encryption keys of the Proxmox backup client: what is derived from a key, and the key file in which it is kept.
 */
import { createDecipheriv, createHash, createHmac, pbkdf2, pbkdf2Sync, scrypt } from 'node:crypto';
import { inspect, promisify } from 'node:util';
import { asBytes, equalBytes, toHex, utf8 } from '../../core/bytes.ts';
import { CorruptionError, NesteggError, UsageError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import { field, isRecord, optionalText, parseJson } from './json.ts';

const keyBytes = 32;

/** A 32-byte encryption key. Like `Secret` it prints as `[secret]`. */
export class EncryptionKey {
  readonly #secret: Uint8Array;
  /** Takes part in the digests of encrypted chunks and signs manifests. 32 bytes. */
  readonly idKey: Uint8Array;
  /** Tells which key made a backup, without telling the key. 32 bytes. */
  readonly fingerprint: Uint8Array;

  /** Copies `secret`. @throws RangeError unless it has 32 bytes. */
  constructor(secret: Uint8Array) {
    if (secret.byteLength !== keyBytes) throw new RangeError('an encryption key has 32 bytes');
    this.#secret = new Uint8Array(secret);
    this.idKey = new Uint8Array(pbkdf2Sync(secret, '_id_key', 10, 32, 'sha256'));
    const label = createHash('sha256').update('Proxmox Backup Encryption Key Fingerprint').digest();
    this.fingerprint = new Uint8Array(createHash('sha256').update(label).update(this.idKey).digest());
  }

  /** The key itself; the caller must not change it. */
  reveal(): Uint8Array {
    return this.#secret;
  }

  /** HMAC-SHA256 under the id key: signs manifests. */
  authenticate(bytes: Uint8Array): Uint8Array {
    return new Uint8Array(createHmac('sha256', this.idKey).update(bytes).digest());
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return `EncryptionKey ${formatFingerprint(this.fingerprint.subarray(0, 8))}`;
  }
}

/** `aa:bb:…`, as PBS shows fingerprints; its short form is that of the first 8 bytes. */
export function formatFingerprint(bytes: Uint8Array): string {
  return toHex(bytes).replace(/..(?!$)/g, '$&:');
}

/** Digest of a chunk: SHA-256 of the data, followed by the id key where the chunk is encrypted. */
export function chunkDigest(data: Uint8Array, key?: EncryptionKey): Uint8Array {
  const hash = createHash('sha256').update(data);
  if (key) hash.update(key.idKey);
  return asBytes(hash.digest());
}

type Derivation =
  | { readonly name: 'none' }
  | { readonly name: 'scrypt'; readonly n: number; readonly r: number; readonly p: number; readonly salt: Uint8Array }
  | { readonly name: 'pbkdf2'; readonly iterations: number; readonly salt: Uint8Array };

export interface KeyFile {
  readonly derivation: Derivation;
  readonly data: Uint8Array;
  readonly fingerprint: string | undefined;
  readonly hint: string | undefined;
}

/** As much as PBS grants scrypt. */
const scryptMemoryBytes = 1025 * 1024 * 1024;
const maxIterations = 100_000_000;

/** Reads a key file (JSON). @throws CorruptionError (`pbs.format`). */
export function parseKeyFile(bytes: Uint8Array): KeyFile {
  const what = 'the encryption key file';
  const root = parseJson(bytes, what);
  const derivation = parseDerivation(root['kdf'] ?? null, what);
  const data = base64(field(root, 'data', 'string', what), what);
  const expected = derivation.name === 'none' ? keyBytes : 16 + 16 + keyBytes;
  if (data.byteLength !== expected) throw malformed(what, `its data has ${String(data.byteLength)} bytes`);
  return {
    derivation,
    data,
    fingerprint: optionalText(root, 'fingerprint', what),
    hint: optionalText(root, 'hint', what),
  };
}

/**
 * The key of a key file. `passphrase` is needed, and used, only for a file that has a derivation.
 * @throws UsageError (`config.secret`) when the passphrase is missing or wrong; CorruptionError when the key is not the one the file names.
 */
export async function openKeyFile(file: KeyFile, passphrase?: Secret): Promise<EncryptionKey> {
  const key = new EncryptionKey(await unwrap(file, passphrase));
  if (file.fingerprint !== undefined && file.fingerprint.toLowerCase() !== formatFingerprint(key.fingerprint)) {
    throw new CorruptionError('the encryption key file is damaged: its key has another fingerprint than it says', {
      code: 'source.corrupt',
    });
  }
  return key;
}

async function unwrap(file: KeyFile, passphrase: Secret | undefined): Promise<Uint8Array> {
  if (file.derivation.name === 'none') return file.data;
  if (passphrase === undefined) {
    const hint = file.hint === undefined ? 'Name its passphrase in the configuration.' : `Its hint is: ${file.hint}`;
    throw new UsageError('the encryption key file has a passphrase, and none was given', {
      code: 'config.secret',
      hint,
    });
  }
  const wrapping = await deriveKey(file.derivation, utf8(passphrase.reveal()));
  const decipher = createDecipheriv('aes-256-gcm', wrapping, file.data.subarray(0, 16));
  decipher.setAuthTag(file.data.subarray(16, 32));
  const key = decipher.update(file.data.subarray(32));
  try {
    decipher.final();
  } catch (error) {
    throw new UsageError('the passphrase does not open the encryption key file', {
      code: 'config.secret',
      cause: error,
    });
  }
  return key;
}

const runPbkdf2 = promisify(pbkdf2);

async function deriveKey(derivation: Exclude<Derivation, { name: 'none' }>, password: Uint8Array): Promise<Uint8Array> {
  if (derivation.name === 'pbkdf2') {
    return runPbkdf2(password, derivation.salt, derivation.iterations, keyBytes, 'sha256');
  }
  const { n, r, p, salt } = derivation;
  return new Promise((resolve, reject) => {
    scrypt(password, salt, keyBytes, { N: n, r, p, maxmem: scryptMemoryBytes }, (error, key) => {
      if (error) {
        reject(
          new NesteggError('source.unsupported', 'scrypt cannot run with the parameters of the key file', {
            cause: error,
          }),
        );
      } else resolve(key);
    });
  });
}

function parseDerivation(kdf: unknown, what: string): Derivation {
  if (kdf === null) return { name: 'none' };
  if (!isRecord(kdf) || Object.keys(kdf).length !== 1) throw malformed(what, 'it has an unknown kdf');
  if (isRecord(kdf['Scrypt'])) return parseScrypt(kdf['Scrypt'], what);
  if (isRecord(kdf['PBKDF2'])) {
    const iterations = field(kdf['PBKDF2'], 'iter', 'count', what);
    if (iterations < 1 || iterations > maxIterations) throw malformed(what, 'its iteration count is out of bounds');
    return { name: 'pbkdf2', iterations, salt: base64(field(kdf['PBKDF2'], 'salt', 'string', what), what) };
  }
  throw malformed(what, 'it has an unknown kdf');
}

function parseScrypt(parameters: Readonly<Record<string, unknown>>, what: string): Derivation {
  const n = field(parameters, 'n', 'count', what);
  const r = field(parameters, 'r', 'count', what);
  const p = field(parameters, 'p', 'count', what);
  const powerOfTwo = n > 1 && Number.isInteger(Math.log2(n));
  if (!powerOfTwo || r < 1 || p < 1 || p > 64 || 128 * r * (n + p + 2) > scryptMemoryBytes) {
    throw malformed(what, 'its scrypt parameters are out of bounds');
  }
  return { name: 'scrypt', n, r, p, salt: base64(field(parameters, 'salt', 'string', what), what) };
}

function base64(text: string, what: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  const again = new Uint8Array(Buffer.from(text.replace(/[\r\n]/g, ''), 'base64'));
  if (!/^[A-Za-z0-9+/\r\n]*={0,2}[\r\n]*$/.test(text) || !equalBytes(bytes, again))
    throw malformed(what, 'it has bad base64');
  return bytes;
}

function malformed(what: string, reason: string): CorruptionError {
  return new CorruptionError(`${what} is malformed: ${reason}`, { code: 'pbs.format' });
}
