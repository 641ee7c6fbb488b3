import { CorruptionError } from '../../core/errors.ts';
import type { BlobRef } from '../format/blob.ts';
import { limits } from '../format/limits.ts';
import { decodeListNode } from '../format/list.ts';
import type { PbsDynamicFile, PbsFixedFile } from '../format/snapshot.ts';
import { maxIndexBytes } from '../pbs/chunk-index.ts';

export type PbsIndexFile = PbsFixedFile | PbsDynamicFile;

/** What an index lists, in columns. */
export interface ListedChunks {
  /** 32 bytes each. */
  readonly digests: Uint8Array;
  readonly lengths: Uint32Array;
}

/**
 * Reads the list of a PBS index, node by node. @param read a node by its reference, with its digest checked.
 * @throws CorruptionError when the nodes do not fit each other or the record; whatever `read` throws.
 */
export async function readList(file: PbsIndexFile, read: (ref: BlobRef) => Promise<Uint8Array>): Promise<ListedChunks> {
  if (file.chunks * 32 > maxIndexBytes) throw misfit(file, 'more chunks than an index can have');
  const chunkSize = file.kind === 'fixed' ? file.chunkSize : 0;
  const digests = new Uint8Array(file.chunks * 32);
  const lengths = new Uint32Array(file.chunks);
  let count = 0;
  let position = 0;
  const add = (digest: Uint8Array, length: number): void => {
    if (count >= file.chunks) throw misfit(file, 'more chunks than its record says');
    digests.set(digest, count * 32);
    lengths[count] = length;
    count += 1;
    position += length;
  };
  const walk = async (ref: BlobRef, level: number | undefined): Promise<void> => {
    const node = decodeListNode(await read(ref));
    const found = node.kind === 'leaf' ? 0 : node.level;
    if (node.type !== file.kind || found >= limits.listDepth || (level !== undefined && found !== level)) {
      throw misfit(file, 'a node of another kind than expected');
    }
    if (node.kind === 'inner') {
      for (const child of node.children) {
        const before = position;
        await walk(child.ref, found - 1);
        if (position - before !== child.bytes) throw misfit(file, 'a node with another length than expected');
      }
    } else if (node.type === 'fixed') {
      for (const digest of node.digests) add(digest, Math.min(chunkSize, file.size - position));
    } else {
      for (const part of node.parts) add(part.digest, part.length);
    }
  };
  await walk(file.list, undefined);
  if (count !== file.chunks || position !== file.size) throw misfit(file, 'another length than its record says');
  return { digests, lengths };
}

function misfit(file: PbsIndexFile, what: string): CorruptionError {
  return new CorruptionError(`the list of ${file.name} has ${what}`);
}
