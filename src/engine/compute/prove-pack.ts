/** Proving a whole pack: its name, its directory, and every blob in it. */
import { equalBytes } from '../../core/bytes.ts';
import { CorruptionError, messageOf, SourceError } from '../../core/errors.ts';
import { digest, type BlobId, type PackId } from '../../core/ids.ts';
import { blake3 } from '../crypto/blake3.ts';
import { sha256, sha256Hex } from '../crypto/sha256.ts';
import { openBlob, type PackEntry } from '../format/blob.ts';
import type { RepositoryKeys } from '../format/keys.ts';
import { readPackDirectory } from '../format/pack-directory.ts';
import { pbsChunkDigest } from '../format/pbs-chunk-id.ts';
import { crcMatches, decodeBlob, maxChunkBytes, readBlobHeader } from '../pbs/data-blob.ts';

export interface BadBlob {
  readonly entry: PackEntry;
  readonly reason: string;
}

export type PackProof =
  | {
      readonly verdict: 'opened';
      readonly epoch: number;
      readonly entries: readonly PackEntry[];
      /** Empty: the pack is proven. */
      readonly bad: readonly BadBlob[];
    }
  /** The bytes do not match the name, or the directory does not open: nothing of it can be trusted by itself. */
  | { readonly verdict: 'damaged' | 'foreign'; readonly reason: string };

/**
 * Proves a whole pack. PBS chunks are proven by seal, CRC and decoding; their digest is compared where `isPlain` says that
 * the blob is one of assurance `plain`: for others it cannot be computed from here.
 */
export function provePack(
  keys: RepositoryKeys,
  id: PackId,
  bytes: Uint8Array,
  isPlain: (id: BlobId) => boolean = () => false,
): PackProof {
  if (sha256Hex(bytes) !== id) return { verdict: 'damaged', reason: 'its bytes do not match its name' };
  let directory;
  try {
    directory = readPackDirectory(keys, bytes);
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error;
    return { verdict: 'foreign', reason: error.message };
  }
  const { epoch, entries } = directory;
  const bad: BadBlob[] = [];
  for (const entry of entries) {
    const sealed = bytes.subarray(entry.offset, entry.offset + entry.sealedLength);
    const reason = whyBad(keys, epoch, entry, sealed, isPlain);
    if (reason !== undefined) bad.push({ entry, reason });
  }
  return { verdict: 'opened', epoch, entries, bad };
}

function whyBad(
  keys: RepositoryKeys,
  epoch: number,
  entry: PackEntry,
  sealed: Uint8Array,
  isPlain: (id: BlobId) => boolean,
): string | undefined {
  try {
    const content = openBlob(keys, epoch, entry, sealed);
    if (entry.kind === 'pbs-chunk') return whyBadChunk(keys, entry, content, isPlain(entry.id));
    const ref = { digest: digest(blake3(content)), length: content.byteLength };
    return equalBytes(keys.blobId(entry.kind, ref), entry.id) ? undefined : 'its content has another digest';
  } catch (error) {
    if (error instanceof CorruptionError || error instanceof SourceError) return messageOf(error);
    throw error;
  }
}

function whyBadChunk(
  keys: RepositoryKeys,
  entry: PackEntry,
  blob: Uint8Array,
  digestIsVouchedFor: boolean,
): string | undefined {
  const header = readBlobHeader(blob);
  if (!crcMatches(blob, header)) return 'its CRC is wrong';
  if (header.encrypted) return undefined;
  const data = decodeBlob(blob, { maxLength: maxChunkBytes });
  if (!digestIsVouchedFor) return undefined;
  const ref = { digest: pbsChunkDigest('plain', sha256(data), new Uint8Array(0)), length: data.byteLength };
  return equalBytes(keys.blobId('pbs-chunk', ref), entry.id) ? undefined : 'its data has another digest';
}
