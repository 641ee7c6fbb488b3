/**
 * Reading one chunk file, as compute workers do it: synchronously, through one descriptor (a chunk may be replaced at
 * any moment by a smaller encoding), into one buffer, proven before it is handed out. A bad chunk is an answer, not an
 * exception: the rest of the snapshot is still read, and the problem travels to another thread.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { asBytes, equalBytes } from '../../core/bytes.ts';
import { SourceError, messageOf, systemCode } from '../../core/errors.ts';
import { crcMatches, decodeContent, maxChunkFileBytes, readBlobHeader, type BlobHeader } from './data-blob.ts';
import { chunkDigest, type EncryptionKey } from './keys.ts';
import type { CryptMode } from './manifest.ts';

export interface ChunkExpectation {
  /** As the index names it. 32 bytes. */
  readonly digest: Uint8Array;
  /** Length of the data as the index tells; bounds the decoding. */
  readonly length: number;
  /** Of the index, as the manifest tells: only `encrypt` has encrypted chunks. */
  readonly cryptMode: CryptMode;
  /** `digest`: everything that can be checked. `crc`: only the CRC and, where nothing must be decoded for it, the length. */
  readonly verify: 'digest' | 'crc';
  /** Key of the backup; without it the digest of an encrypted chunk cannot be checked. */
  readonly key?: EncryptionKey | undefined;
}

/** What was proven: the digest of plain data, the digest of encrypted data, or nothing but the CRC. */
export type ChunkAssurance = 'plain' | 'keyed' | 'unverified';

export type ChunkProblemKind =
  | 'missing'
  /** Gone, but PBS keeps a copy that it found corrupt (`<digest>.0.bad`). */
  | 'marked-bad'
  | 'unreadable'
  | 'zero-length'
  | 'truncated'
  | 'too-long'
  | 'not-a-blob'
  | 'wrong-crc'
  /** Encrypted in an index that is not, or the other way round. */
  | 'wrong-mode'
  | 'undecodable'
  | 'wrong-length'
  | 'wrong-digest';

/** Plain values: may be posted to another thread. */
export interface ChunkProblem {
  readonly kind: ChunkProblemKind;
  readonly path: string;
  readonly detail: string;
}

export type ChunkReading =
  | { readonly outcome: 'read'; readonly blob: Uint8Array; readonly assurance: ChunkAssurance }
  | { readonly outcome: 'bad'; readonly problem: ChunkProblem };

/**
 * Reads and proves the chunk file at `path`. `blob` is the file, byte for byte: a view of `scratch` when one of at least
 * `maxChunkFileBytes` is given (valid until its next use), else new memory of its own that the caller owns.
 * Needs `loadZstd()` to have been awaited in this thread. Never throws for what is on the disk.
 */
export function readChunkFile(path: string, expectation: ChunkExpectation, scratch?: Uint8Array): ChunkReading {
  const loaded = loadFile(path, scratch);
  return loaded.outcome === 'bad' ? loaded : checkChunk(path, loaded.blob, expectation);
}

/** The same proof for the bytes of a chunk file that are in memory already; `path` only names them. */
export function checkChunk(path: string, blob: Uint8Array, expectation: ChunkExpectation): ChunkReading {
  if (blob.byteLength === 0) return bad(path, 'zero-length', 'the file is empty: damage, or a datastore backed by S3');
  let header: BlobHeader;
  try {
    header = readBlobHeader(blob);
  } catch (error) {
    return bad(path, blob.byteLength < 44 ? 'truncated' : 'not-a-blob', messageOf(error));
  }
  if (!crcMatches(blob, header)) return bad(path, 'wrong-crc', 'the CRC of the file does not match');
  if (header.encrypted !== (expectation.cryptMode === 'encrypt')) {
    return bad(
      path,
      'wrong-mode',
      header.encrypted ? 'it is encrypted, its index is not' : 'it is not encrypted, its index is',
    );
  }
  if (!header.compressed && blob.byteLength - header.headerBytes !== expectation.length) {
    return wrongLength(path, blob.byteLength - header.headerBytes, expectation.length);
  }
  if (expectation.verify === 'crc' || (header.encrypted && !expectation.key)) {
    return { outcome: 'read', blob, assurance: 'unverified' };
  }
  return checkDigest(path, blob, header, expectation);
}

/** The error to raise for a problem that nobody expects: a `SourceError` that names file and reason. */
export function chunkError(problem: ChunkProblem): SourceError {
  const code = problem.kind === 'missing' || problem.kind === 'marked-bad' ? 'source.missing' : 'source.corrupt';
  return new SourceError(
    problem.kind === 'unreadable' ? 'source.unreadable' : code,
    `chunk ${problem.path}: ${problem.detail}`,
    {
      context: { chunk: problem.path, problem: problem.kind },
    },
  );
}

function checkDigest(path: string, blob: Uint8Array, header: BlobHeader, expectation: ChunkExpectation): ChunkReading {
  let data: Uint8Array;
  try {
    data = decodeContent(blob, header, { maxLength: expectation.length, key: expectation.key });
  } catch (error) {
    return bad(path, 'undecodable', messageOf(error));
  }
  if (data.byteLength !== expectation.length) return wrongLength(path, data.byteLength, expectation.length);
  const digest = chunkDigest(data, header.encrypted ? expectation.key : undefined);
  if (!equalBytes(digest, expectation.digest))
    return bad(path, 'wrong-digest', 'its data has another digest than its name');
  return { outcome: 'read', blob, assurance: header.encrypted ? 'keyed' : 'plain' };
}

type LoadedFile = { readonly outcome: 'loaded'; readonly blob: Uint8Array } | Extract<ChunkReading, { outcome: 'bad' }>;

function loadFile(path: string, scratch: Uint8Array | undefined): LoadedFile {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    return openFailure(path, error);
  }
  try {
    const { size } = fstatSync(descriptor);
    if (size > maxChunkFileBytes) return bad(path, 'too-long', `${String(size)} bytes are more than a chunk can have`);
    const buffer =
      scratch && scratch.byteLength >= size ? scratch.subarray(0, size) : asBytes(Buffer.allocUnsafeSlow(size));
    let at = 0;
    while (at < size) {
      const length = readSync(descriptor, buffer, at, size - at, at);
      if (length === 0) return bad(path, 'truncated', `it ended after ${String(at)} of ${String(size)} bytes`);
      at += length;
    }
    return { outcome: 'loaded', blob: buffer };
  } catch (error) {
    return bad(path, 'unreadable', messageOf(error));
  } finally {
    closeSync(descriptor);
  }
}

function openFailure(path: string, error: unknown): Extract<ChunkReading, { outcome: 'bad' }> {
  if (systemCode(error) !== 'ENOENT') return bad(path, 'unreadable', messageOf(error));
  for (let number = 0; number <= 9; number++) {
    const copy = `${path}.${String(number)}.bad`;
    if (existsSync(copy)) return bad(path, 'marked-bad', `PBS found it corrupt and renamed it to ${copy}`);
  }
  return bad(path, 'missing', 'there is no such file');
}

function wrongLength(path: string, found: number, expected: number): Extract<ChunkReading, { outcome: 'bad' }> {
  return bad(path, 'wrong-length', `it holds ${String(found)} bytes, its index says ${String(expected)}`);
}

function bad(path: string, kind: ChunkProblemKind, detail: string): Extract<ChunkReading, { outcome: 'bad' }> {
  return { outcome: 'bad', problem: { kind, path, detail } };
}
