/**
 * The short cut for images that hardly change: chunks that stand at the same place in a snapshot which every target has
 * committed need not be asked for one by one. The *parent* of an item is such a snapshot of its group, as long as the
 * source still shows it: its index is read there, and trusted only when the list made of it is the one that the record in
 * each target names.
 */
import { asBuffer, equalBytes } from '../../core/bytes.ts';
import { SourceError } from '../../core/errors.ts';
import { contentRef } from '../compute/content-ref.ts';
import type { BlobRef } from '../format/blob.ts';
import type { Assurance } from '../format/pbs-chunk-id.ts';
import type { PbsFile, SnapshotRecord } from '../format/snapshot.ts';
import type { FixedIndex } from '../pbs/fixed-index.ts';
import type { Snapshot } from '../pbs/snapshot.ts';
import { isLoss } from '../repository/loss.ts';
import type { SnapshotSummary } from '../repository/repository.ts';
import { listOf } from './list-writer.ts';
import type { TargetRun } from './target-run.ts';

export interface ParentSnapshot {
  /** As the source shows it. */
  readonly snapshot: Snapshot;
  /** As each target that has it committed it. */
  readonly summaries: ReadonlyMap<TargetRun, SnapshotSummary>;
}

type FixedFile = Extract<PbsFile, { readonly kind: 'fixed' }>;

/** What is at a place of an image, in all targets. */
export interface KnownImage {
  readonly assurance: Assurance;
  readonly extra: Uint8Array;
  /** Whether the chunk at this place of `index` is the same. Called for every chunk. */
  has(index: FixedIndex, at: number): boolean;
}

/** A parent whose record each target holds, and whose chunks each target vouches for. */
export class Parent {
  readonly #snapshot: Snapshot;
  readonly #records: readonly SnapshotRecord[];

  private constructor(snapshot: Snapshot, records: readonly SnapshotRecord[]) {
    this.#snapshot = snapshot;
    this.#records = records;
  }

  /** Undefined unless all targets can rely on it; then everything is asked for. @throws CancelledError alone. */
  static async open(
    { snapshot, summaries }: ParentSnapshot,
    targets: readonly TargetRun[],
    signal: AbortSignal | undefined,
  ): Promise<Parent | undefined> {
    const records: SnapshotRecord[] = [];
    for (const target of targets) {
      const summary = summaries.get(target);
      const record = summary && (await relyOn(target, summary, signal));
      if (!record || record.source.holes.length > 0) return undefined;
      records.push(record);
    }
    return new Parent(snapshot, records);
  }

  /** The image of that name, if it is as the targets have it. */
  async image(name: string): Promise<KnownImage | undefined> {
    const stored = this.#records.map(({ source }) => source.files.find((file) => file.name === name));
    const [first] = stored;
    if (first?.kind !== 'fixed' || !stored.every((file) => file?.kind === 'fixed' && isSame(file, first))) {
      return undefined;
    }
    const index = await this.#readIndex(name);
    if (index?.size !== first.size || index.chunkSize !== first.chunkSize) return undefined;
    const list = await listOf(index, (node) => Promise.resolve(contentRef(node)));
    return isSameRef(list, first.list) ? knownImage(index, first) : undefined;
  }

  async #readIndex(name: string): Promise<FixedIndex | undefined> {
    try {
      const { manifest } = await this.#snapshot.readManifest();
      const file = manifest.files.find((each) => each.name === name);
      const index = file && (await this.#snapshot.readIndex(file));
      return index?.kind === 'fixed' ? index : undefined;
    } catch (error) {
      if (error instanceof SourceError) return undefined;
      throw error;
    }
  }
}

async function relyOn(
  target: TargetRun,
  summary: SnapshotSummary,
  signal: AbortSignal | undefined,
): Promise<SnapshotRecord | undefined> {
  return target.attempt(signal, async (session) => {
    if (!session.relyOn(summary.id)) return undefined;
    try {
      return await target.repository.readRecord(summary, signal);
    } catch (error) {
      if (!isLoss(error)) throw error;
      return undefined;
    }
  });
}

function isSame(a: FixedFile, b: FixedFile): boolean {
  return (
    isSameRef(a.list, b.list) &&
    a.size === b.size &&
    a.chunkSize === b.chunkSize &&
    a.assurance === b.assurance &&
    equalBytes(a.extra, b.extra)
  );
}

function isSameRef(a: BlobRef, b: BlobRef): boolean {
  return a.length === b.length && equalBytes(a.digest, b.digest);
}

function knownImage(parent: FixedIndex, { assurance, extra }: FixedFile): KnownImage {
  const known = asBuffer(parent.digests);
  const has = (index: FixedIndex, at: number): boolean => {
    if (at >= parent.count || index.lengthAt(at) !== parent.lengthAt(at)) return false;
    return known.compare(index.digests, at * 32, at * 32 + 32, at * 32, at * 32 + 32) === 0;
  };
  return { assurance, extra, has };
}
