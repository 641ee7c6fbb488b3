/**
 * Reads one PBS snapshot for the targets that miss it: its blobs and lists go to the targets at once, the chunks that a
 * target misses to the workers. What comes back is what the record will be made of; whether every chunk was good is
 * known only after the workers are done.
 */
import { equalBytes } from '../../core/bytes.ts';
import type { BlobId } from '../../core/ids.ts';
import { BatchBuilder } from '../compute/chunk-batch.ts';
import type { ChunkBatch, ChunkRule } from '../compute/compute.ts';
import type { BlobRef } from '../format/blob.ts';
import { limits } from '../format/limits.ts';
import { pbsChunkDigests, type Assurance } from '../format/pbs-chunk-id.ts';
import type { PbsFile } from '../format/snapshot.ts';
import type { ChunkIndex } from '../pbs/chunk-index.ts';
import type { DynamicIndex } from '../pbs/dynamic-index.ts';
import type { FixedIndex } from '../pbs/fixed-index.ts';
import { clientLogFile, manifestFile } from '../pbs/layout.ts';
import type { ManifestFile } from '../pbs/manifest.ts';
import type { PbsItem } from '../sources/pbs.ts';
import { assuranceOf } from './bad-chunks.ts';
import { ListWriter } from './list-writer.ts';
import type { KnownImage, Parent } from './parent.ts';
import type { TargetRun } from './target-run.ts';

/** At most so many chunks in a batch, … */
const batchChunks = 128;
/** … and so many bytes of data: a worker learns of an abort between chunks, the progress between batches. */
const batchBytes = 128 * 2 ** 20;

export interface ReadIndex {
  readonly name: string;
  readonly index: ChunkIndex;
  readonly assurance: Assurance;
}

export interface ReadItem {
  readonly files: readonly PbsFile[];
  /** Kept until the item is committed: where bad chunks are found. */
  readonly indexes: readonly ReadIndex[];
  readonly chunks: number;
}

export interface ItemReaderOptions {
  readonly verify: 'digest' | 'crc';
  /** Identity of the source, for chunks that cannot be verified. 16 bytes. */
  readonly identity: Uint8Array;
  /** Number of all targets of the run: the width of a batch. */
  readonly targets: number;
  /** Takes a batch to the workers; waits while they are busy. */
  readonly submit: (batch: ChunkBatch) => Promise<void>;
  /** Bytes of images and streams that need not be read. */
  readonly onKnown: (bytes: number) => void;
  readonly onRead: (fileBytes: number) => void;
  /** What its images are compared with first. */
  readonly parent: Parent | undefined;
  readonly signal: AbortSignal | undefined;
}

/** No target is left that could take the item. */
export class NoTargetLeft extends Error {
  override readonly name = 'NoTargetLeft';
}

export class ItemReader {
  readonly #options: ItemReaderOptions;
  readonly #item: PbsItem;
  readonly #targets: readonly TargetRun[];

  constructor(options: ItemReaderOptions, item: PbsItem, targets: readonly TargetRun[]) {
    this.#options = options;
    this.#item = item;
    this.#targets = targets;
  }

  /** @throws SourceError for an index or blob that is not what the manifest says; NoTargetLeft; CancelledError. */
  async read(): Promise<ReadItem> {
    const files: PbsFile[] = [];
    const indexes: ReadIndex[] = [];
    let chunks = 0;
    for (const file of this.#item.manifest.manifest.files) {
      this.#options.signal?.throwIfAborted();
      if (file.kind === 'blob') {
        files.push(await this.#storeBlob(file.name, await this.#item.snapshot.readBlob(file)));
        continue;
      }
      const index = await this.#item.snapshot.readIndex(file);
      const assurance = assuranceOf(this.#ruleOf(file));
      files.push(await this.#storeIndex(file, index, assurance));
      indexes.push({ name: file.name, index, assurance });
      chunks += index.count;
    }
    files.push(await this.#storeBlob(manifestFile, this.#item.manifest.blob));
    const log = await this.#item.snapshot.readClientLog();
    if (log) files.push(await this.#storeBlob(clientLogFile, log));
    return { files, indexes, chunks };
  }

  #ruleOf(file: ManifestFile): ChunkRule {
    return { cryptMode: file.cryptMode, verify: this.#options.verify };
  }

  async #storeBlob(name: string, bytes: Uint8Array): Promise<PbsFile> {
    const data = await storePieces(bytes, (piece) => this.#store('data', piece));
    this.#options.onRead(bytes.byteLength);
    this.#options.onKnown(bytes.byteLength);
    return { kind: 'blob', name, size: bytes.byteLength, data };
  }

  async #storeIndex(file: ManifestFile, index: FixedIndex | DynamicIndex, assurance: Assurance): Promise<PbsFile> {
    const extra = assurance === 'unverified' ? this.#options.identity : new Uint8Array(0);
    const isKnown = comparison(index, await this.#options.parent?.image(file.name), assurance, extra);
    const list = await this.#claimChunks(this.#ruleOf(file), index, isKnown, pbsChunkDigests(assurance, extra));
    const common = {
      name: file.name,
      header: withoutTrailingZeros(index.header),
      size: index.size,
      chunks: index.count,
      list,
      assurance,
      extra,
    };
    return index.kind === 'fixed'
      ? { kind: 'fixed', ...common, chunkSize: index.chunkSize }
      : { kind: 'dynamic', ...common };
  }

  /** Builds the list and sends what is missed to the workers, leaf by leaf. */
  async #claimChunks(
    rule: ChunkRule,
    index: ChunkIndex,
    isKnown: (at: number) => boolean,
    identify: ReturnType<typeof pbsChunkDigests>,
  ): Promise<BlobRef> {
    const list = new ListWriter(index.kind, (node) => this.#store('list', node));
    let batch = this.#newBatch(rule);
    let known = 0;
    try {
      for (let at = 0; at < index.count; at += 1) {
        const digest = index.digestAt(at);
        const length = index.lengthAt(at);
        if (isKnown(at) || !this.#claim(batch, digest, length, identify)) known += length;
        list.add(digest, length);
        if (batch.isFull || batch.dataBytes >= batchBytes) {
          const full = batch;
          batch = this.#newBatch(rule);
          await this.#options.submit(full.finish());
        }
        if (list.isFull) {
          await list.flush();
          this.#options.onKnown(known);
          known = 0;
          this.#options.signal?.throwIfAborted();
        }
      }
      this.#options.onKnown(known);
      return await list.finish();
    } finally {
      // What was claimed must be read, or a later item that uses it would wait for it in vain.
      if (batch.count > 0) await this.#options.submit(batch.finish());
    }
  }

  /** @returns whether some target misses the chunk; it is in the batch then. */
  #claim(
    batch: BatchBuilder,
    digest: Uint8Array,
    length: number,
    identify: ReturnType<typeof pbsChunkDigests>,
  ): boolean {
    const ref = { digest: identify(digest), length };
    let ids: (BlobId | undefined)[] | undefined;
    for (const target of this.#targets) {
      const { session } = target;
      if (!session) continue;
      const id = target.repository.blobId('pbs-chunk', ref);
      if (session.claim(id) !== 'new') continue;
      ids ??= new Array<BlobId | undefined>(this.#options.targets).fill(undefined);
      ids[target.number] = id;
    }
    if (ids) batch.add(digest, length, ids);
    return ids !== undefined;
  }

  #newBatch(rule: ChunkRule): BatchBuilder {
    return new BatchBuilder(rule, this.#options.targets, batchChunks);
  }

  /** The same content in every target gives the same reference. */
  async #store(kind: 'data' | 'list', content: Uint8Array): Promise<BlobRef> {
    let ref: BlobRef | undefined;
    for (const target of this.#targets) {
      const { signal } = this.#options;
      ref = (await target.attempt(signal, (session) => session.addBlob(kind, content, signal))) ?? ref;
    }
    if (!ref || this.#targets.every((target) => !target.active)) throw new NoTargetLeft();
    return ref;
  }
}

/** Whether the chunk at a place needs no claim, because the parent has it there. */
function comparison(
  index: FixedIndex | DynamicIndex,
  image: KnownImage | undefined,
  assurance: Assurance,
  extra: Uint8Array,
): (at: number) => boolean {
  if (index.kind !== 'fixed' || image?.assurance !== assurance || !equalBytes(image.extra, extra)) return () => false;
  return (at) => image.has(index, at);
}

/** Cuts a small file into what one blob may hold. */
export async function storePieces(
  bytes: Uint8Array,
  store: (piece: Uint8Array) => Promise<BlobRef>,
): Promise<readonly BlobRef[]> {
  const refs: BlobRef[] = [];
  for (let at = 0; at < bytes.byteLength; at += limits.plainBlobBytes) {
    refs.push(await store(bytes.subarray(at, at + limits.plainBlobBytes)));
  }
  return refs;
}

function withoutTrailingZeros(header: Uint8Array): Uint8Array {
  let end = header.byteLength;
  while (end > 0 && header[end - 1] === 0) end -= 1;
  return header.subarray(0, end);
}
