/**
 * Manifest (`index.json.blob`): what a snapshot consists of. `unprotected` (notes, verify state, statistics) may change
 * later and is not covered by the signature; everything else never changes.
 */
import { isDeepStrictEqual } from 'node:util';
import { equalBytes, fromHex, toHex, utf8 } from '../../core/bytes.ts';
import { CorruptionError } from '../../core/errors.ts';
import { decodeBlob, maxBlobBytes, readBlobHeader } from './data-blob.ts';
import { field, isRecord, optionalText, parseJson, type JsonRecord } from './json.ts';
import { formatFingerprint, type EncryptionKey } from './keys.ts';
import {
  archiveKind,
  isBackupType,
  isSafeId,
  manifestFile,
  type ArchiveKind,
  type BackupType,
  type SnapshotName,
} from './layout.ts';

export type CryptMode = 'none' | 'encrypt' | 'sign-only';

export interface ManifestFile {
  readonly name: string;
  readonly kind: ArchiveKind;
  /** Says how the chunks of an index are stored; of blobs it says nothing reliable. */
  readonly cryptMode: CryptMode;
  /** Index: length of the image or stream. Blob: length of the file. */
  readonly size: number;
  /** Index: the index checksum. Blob: SHA-256 of the file. 32 bytes. */
  readonly checksum: Uint8Array;
}

export interface Manifest {
  readonly type: BackupType;
  readonly id: string;
  readonly timeSeconds: number;
  readonly files: readonly ManifestFile[];
  readonly signature: Uint8Array | undefined;
  /** `aa:bb:…` of the key that made the backup, unchecked. */
  readonly keyFingerprint: string | undefined;
  readonly unprotected: JsonRecord;
  /** The whole object as it was parsed. */
  readonly json: JsonRecord;
}

const what = 'the manifest';
const maxManifestBytes = 16 * 1024 * 1024;
const hexDigest = /^[0-9a-f]{64}$/;

/** Reads a manifest from its blob. @throws CorruptionError (`pbs.format`, `source.corrupt`). */
export function decodeManifest(blob: Uint8Array): Manifest {
  if (readBlobHeader(blob).encrypted) throw malformed('its blob is encrypted, which a manifest never is');
  return parseManifest(decodeBlob(blob, { maxLength: Math.min(maxManifestBytes, maxBlobBytes) }));
}

/** Reads a manifest from its JSON text. @throws CorruptionError (`pbs.format`). */
export function parseManifest(text: Uint8Array): Manifest {
  const json = parseJson(text, what);
  const type = field(json, 'backup-type', 'string', what);
  const id = field(json, 'backup-id', 'string', what);
  if (!isBackupType(type)) throw malformed('an unknown backup type');
  if (!isSafeId(id)) throw malformed('an impossible backup id');
  const signature = optionalText(json, 'signature', what);
  if (signature !== undefined && !hexDigest.test(signature)) throw malformed('an impossible signature');
  const unprotected = json['unprotected'] ?? {};
  if (!isRecord(unprotected)) throw malformed('"unprotected" is not an object');
  return {
    type,
    id,
    timeSeconds: field(json, 'backup-time', 'count', what),
    files: parseFiles(field(json, 'files', 'array', what)),
    signature: signature === undefined ? undefined : fromHex(signature),
    keyFingerprint: optionalText(unprotected, 'key-fingerprint', what),
    unprotected,
    json,
  };
}

function parseFiles(entries: readonly unknown[]): ManifestFile[] {
  const names = new Set<string>();
  return entries.map((entry) => {
    if (!isRecord(entry)) throw malformed('an entry of "files" is not an object');
    const file = parseFile(entry);
    if (names.has(file.name)) throw malformed(`it names ${file.name} twice`);
    names.add(file.name);
    return file;
  });
}

/** Names become paths, so only plain file names of the three kinds are let in. */
function parseFile(entry: JsonRecord): ManifestFile {
  const name = field(entry, 'filename', 'string', what);
  const kind = archiveKind(name);
  if (kind === undefined || name === manifestFile) {
    throw malformed(`it names a file ${JSON.stringify(name.slice(0, 300))}, which no manifest may name`);
  }
  const checksum = field(entry, 'csum', 'string', what);
  if (!hexDigest.test(checksum)) throw malformed(`the checksum of ${name} is not one`);
  return {
    name,
    kind,
    cryptMode: parseCryptMode(optionalText(entry, 'crypt-mode', what), name),
    size: field(entry, 'size', 'count', what),
    checksum: fromHex(checksum),
  };
}

function parseCryptMode(text: string | undefined, name: string): CryptMode {
  if (text === undefined || text === 'none') return 'none';
  if (text === 'encrypt' || text === 'sign-only') return text;
  throw malformed(`an unknown crypt mode for ${name}`);
}

/** @throws CorruptionError (`pbs.format`) unless the manifest is that of the snapshot in whose folder it lies. */
export function checkManifestPlace(manifest: Manifest, place: Omit<SnapshotName, 'namespace'>): void {
  if (manifest.type === place.type && manifest.id === place.id && manifest.timeSeconds === place.timeSeconds) return;
  throw malformed(
    `it is that of ${manifest.type}/${manifest.id} at ${String(manifest.timeSeconds)}, but lies in the folder of ` +
      `${place.type}/${place.id} at ${String(place.timeSeconds)}`,
  );
}

/** Whether two manifests differ at most in `unprotected`. */
export function sameProtectedPart(a: Manifest, b: Manifest): boolean {
  const { unprotected: _a, ...first } = a.json;
  const { unprotected: _b, ...second } = b.json;
  return isDeepStrictEqual(first, second);
}

export type SignatureState = 'unsigned' | 'valid' | 'wrong-key' | 'invalid';

/** Checks the signature; a key that is not the one the manifest names is told from a bad signature. */
export function checkSignature(manifest: Manifest, key: EncryptionKey): SignatureState {
  if (manifest.signature === undefined) return 'unsigned';
  const fingerprint = manifest.keyFingerprint;
  if (fingerprint !== undefined && fingerprint !== formatFingerprint(key.fingerprint)) return 'wrong-key';
  return equalBytes(manifest.signature, key.authenticate(signedText(manifest.json))) ? 'valid' : 'invalid';
}

/** The bytes a signature covers. @throws CorruptionError (`pbs.format`) when the object has no canonical form. */
export function signedText(json: JsonRecord): Uint8Array {
  const { unprotected: _unprotected, signature: _signature, ...rest } = json;
  return utf8(canonicalJson(rest));
}

/** The JSON text of a manifest as PBS writes it, two spaces deep with sorted keys, signed when a key is given. */
export function encodeManifest(json: JsonRecord, key?: EncryptionKey): Uint8Array {
  const signature = key ? toHex(key.authenticate(signedText(json))) : null;
  return utf8(JSON.stringify(sortKeys({ ...json, signature }), undefined, 2));
}

/** Canonical form: keys in byte order, no white space, arrays in order, integers plain; there is none for null and fractions. */
function canonicalJson(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isRecord(value)) throw malformed('it has a value without a canonical form');
  const pairs = sortedEntries(value).map(([name, inner]) => `${JSON.stringify(name)}:${canonicalJson(inner)}`);
  return `{${pairs.join(',')}}`;
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isRecord(value)) return value;
  return Object.fromEntries(sortedEntries(value).map(([name, inner]) => [name, sortKeys(inner)]));
}

function sortedEntries(value: JsonRecord): [string, unknown][] {
  return Object.entries(value).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function malformed(reason: string): CorruptionError {
  return new CorruptionError(`${what} is malformed: ${reason}`, { code: 'pbs.format' });
}
