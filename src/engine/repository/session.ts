import { CancelledError, isCancellation, NesteggError } from '../../core/errors.ts';
import type { Clock } from '../../core/clock.ts';
import {
  digest,
  packId,
  type BlobId,
  type EntryId,
  type PackId,
  type RunId,
  type SegmentId,
  type SnapshotId,
} from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import { blake3 } from '../crypto/blake3.ts';
import { encodeIndexSegment, packsBySegment } from '../format/index-segment.ts';
import type { RepositoryKeys } from '../format/keys.ts';
import { packName, segmentName } from '../format/names.ts';
import { encodeBlobContent, type BlobKind, type BlobRef, type CompressionLevel } from '../format/blob.ts';
import { PackBuilder } from '../format/pack.ts';
import type { SnapshotListing } from '../format/shapes.ts';
import { encodeSnapshotRecord, listingOf, type SnapshotRecord } from '../format/snapshot.ts';
import type { Storage } from '../storage/storage.ts';
import type { BlobTable, DeadSet } from './blob-table.ts';
import { Claims } from './claims.ts';
import type { View } from './fold.ts';
import type { EntryContent, JournalWriter } from './journal-writer.ts';
import type { OffsiteLedger } from './offsite-ledger.ts';
import { OwnPacks, type OwnSegment } from './own-packs.ts';
import type {
  ClaimResult,
  CommitResult,
  FinishedPack,
  SessionTotals,
  SnapshotSummary,
  WriteSession,
} from './repository.ts';

/**
 * An index segment and a progress entry are written at least this often during a run. What is not named by an entry yet
 * is kept in memory, some 400 bytes a blob: the bound on blobs is one on memory.
 */
export const progressEvery = { packs: 256, blobs: 2 ** 17, ms: 3_600_000 } as const;

/** Summaries in one entry: far below the limit of an entry. */
const linesPerEntry = 64;

export interface SessionParts {
  readonly run: RunId;
  readonly storage: Storage;
  readonly keys: RepositoryKeys;
  readonly writer: JournalWriter;
  readonly clock: Clock;
  readonly random: Random;
  readonly packBytes: number;
  readonly compression: CompressionLevel;
  /** The blob table that counts now: it changes when packs die. */
  readonly table: () => BlobTable;
  readonly view: () => View;
  /** Reads the journal again; afterwards `table` and `view` answer for it. */
  readonly refresh: (signal?: AbortSignal) => Promise<void>;
  /** After packs of this session were confirmed: they count as listed. */
  readonly stored: (pack: PackId) => void;
  readonly checkpoint: (signal?: AbortSignal) => Promise<void>;
  readonly ledger: Pick<OffsiteLedger, 'committed'>;
  /** The session is over; `abandoned`: without another request to the store. */
  readonly ended: (abandoned: boolean) => Promise<void>;
}

/** A commit that is not finished: what is still to be written, or to be mended. */
interface Unfinished {
  readonly lines: readonly SnapshotListing[];
  readonly contents: (segments: readonly SegmentId[]) => readonly EntryContent[];
  written: boolean;
}

export class Session implements WriteSession {
  readonly run: RunId;
  readonly #parts: SessionParts;
  readonly #claims = new Claims();
  readonly #reliedOn = new Set<PackId>();
  /** Some snapshot is relied on as a whole: which packs that means is not known. */
  #reliesOnSnapshots = false;
  readonly #own: OwnPacks;
  #knownDead: DeadSet;
  #metadata: PackBuilder | undefined;
  #unfinished: Unfinished | undefined;
  #lastProgressMs: number;
  #turn: Promise<unknown> = Promise.resolve();
  #broken: unknown;
  #open = true;
  #totals = { storedBytes: 0, storedPacks: 0, newBlobs: 0 };

  constructor(parts: SessionParts) {
    this.run = parts.run;
    this.#parts = parts;
    this.#lastProgressMs = parts.clock.monotonic();
    this.#knownDead = parts.view().damaged;
    this.#own = new OwnPacks(this.#knownDead);
  }

  get totals(): SessionTotals {
    return { ...this.#totals };
  }

  claim(id: BlobId): ClaimResult {
    const table = this.#parts.table();
    const number = table.packNumberOf(id);
    if (number >= 0) {
      this.#reliedOn.add(table.packAt(number));
      return 'known';
    }
    return this.#own.has(id) ? 'known' : this.#claims.claim(id);
  }

  disclaim(id: BlobId): void {
    this.#claims.fail(id);
  }

  relyOn(snapshot: SnapshotId): boolean {
    const { snapshots, unproven, warnings, segments, damaged } = this.#parts.view();
    const known = snapshots.get(snapshot);
    if (!known || known.damaged || unproven.has(snapshot) || warnings.length > 0) return false;
    // Less in the table than the journal names: an index segment is lost, or the store does not list a pack.
    const stamp = this.#parts.table().stamp();
    if (stamp.segments.size !== segments.size || stamp.dead.size !== damaged.size) return false;
    this.#reliesOnSnapshots = true;
    return true;
  }

  async addPack(pack: FinishedPack, signal?: AbortSignal): Promise<void> {
    this.#check();
    try {
      await this.#parts.storage.put(packName(pack.id), pack.bytes, { signal });
    } catch (error) {
      // A pack given up on request leaves the session as it was: what is confirmed can still be named.
      throw isCancellation(error) ? error : this.#break(error);
    }
    const indexed = {
      id: pack.id,
      sizeBytes: pack.bytes.byteLength,
      epoch: pack.epoch,
      entries: pack.entries,
    };
    this.#own.addPack(indexed);
    for (const entry of pack.entries) this.#claims.settle(entry.id);
    this.#reliedOn.add(pack.id);
    this.#parts.stored(pack.id);
    this.#totals.storedBytes += indexed.sizeBytes;
    this.#totals.storedPacks += 1;
    this.#totals.newBlobs += pack.entries.length;
    if (this.#progressIsDue()) await this.#inTurn(() => this.#progress(signal));
  }

  async addBlob(kind: Exclude<BlobKind, 'pbs-chunk'>, content: Uint8Array, signal?: AbortSignal): Promise<BlobRef> {
    this.#check();
    const ref: BlobRef = { digest: digest(blake3(content)), length: content.byteLength };
    const id = this.#parts.keys.blobId(kind, ref);
    if (this.claim(id) !== 'new') return ref;
    const { codec, encoded } = encodeBlobContent(content, this.#parts.compression);
    this.#metadata ??= this.#newBuilder();
    if (!this.#metadata.add(kind, id, codec, encoded, content.byteLength)) {
      const full = this.#metadata.finish();
      this.#metadata = this.#newBuilder();
      this.#metadata.add(kind, id, codec, encoded, content.byteLength);
      await this.addPack(full, signal);
    }
    return ref;
  }

  async flush(signal?: AbortSignal): Promise<void> {
    this.#check();
    await this.#finishMetadata(signal);
    await this.#inTurn(() => this.#progress(signal));
  }

  async commit(records: readonly SnapshotRecord[], signal?: AbortSignal): Promise<CommitResult> {
    const lines: SnapshotListing[] = [];
    for (const record of records) lines.push(await this.#line(record, signal));
    const run = this.run;
    return this.#finish(lines, signal, (segments) =>
      inGroups(lines).map((snapshots, index) => ({
        kind: 'snapshot',
        run,
        snapshots,
        segments: index === 0 ? segments : [],
      })),
    );
  }

  async amend(
    changes: readonly { readonly snapshot: SnapshotId; readonly record: SnapshotRecord }[],
    signal?: AbortSignal,
  ): Promise<CommitResult> {
    const snapshots = this.#parts.view().snapshots;
    const amended: { readonly id: SnapshotId; readonly record: BlobRef }[] = [];
    const lines: SnapshotListing[] = [];
    for (const { snapshot: id, record } of changes) {
      const known = snapshots.get(id);
      if (!known)
        throw new NesteggError('not-found', `snapshot ${id} is not in this repository, so it cannot be amended`);
      const ref = await this.addBlob('snapshot', encodeSnapshotRecord(record), signal);
      amended.push({ id, record: ref });
      lines.push({ ...known, record: ref });
    }
    const run = this.run;
    return this.#finish(lines, signal, (segments) =>
      inGroups(amended).map((group, index) => ({
        kind: 'amend',
        run,
        changes: group,
        segments: index === 0 ? segments : [],
      })),
    );
  }

  async mend(snapshots: readonly SnapshotId[], signal?: AbortSignal): Promise<CommitResult> {
    const unfinished = this.#unfinished;
    if (unfinished?.written === false) return this.#finish(unfinished.lines, signal, unfinished.contents);
    const known = this.#parts.view().snapshots;
    const lines = unfinished?.lines ?? snapshots.flatMap((id) => known.get(id) ?? []);
    const run = this.run;
    return this.#finish(lines, signal, (segments) => [{ kind: 'mend', run, snapshots: [...snapshots], segments }]);
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    await this.#turn.catch(() => undefined);
    try {
      if (this.#broken === undefined) await this.#inTurn(() => this.#progress(undefined));
    } finally {
      await this.#end();
    }
  }

  async #end(): Promise<void> {
    this.#open = false;
    await this.#parts.ended(this.#broken !== undefined);
  }

  async abandon(): Promise<void> {
    if (!this.#open) return;
    this.#broken ??= new CancelledError();
    await this.#turn.catch(() => undefined);
    await this.#end();
  }

  /** Steps 1 to 7 of the write order (format page, section 11). */
  async #finish(
    lines: readonly SnapshotListing[],
    signal: AbortSignal | undefined,
    contents: Unfinished['contents'],
  ): Promise<CommitResult> {
    this.#check();
    await this.#finishMetadata(signal);
    return this.#inTurn(async () => {
      const { storage, writer, clock, view, refresh } = this.#parts;
      const unfinished: Unfinished = { lines, contents, written: false };
      this.#unfinished = unfinished;
      await this.#writeSegments(signal);
      await storage.barrier(this.#own.takeUnsettled(), { signal });
      await refresh(signal);
      const before = this.#lostPacks();
      if (before.length > 0) return { outcome: 'lost', snapshots: [], packs: before };
      const named = this.#own.unnamed;
      let last: EntryId | undefined;
      for (const content of contents(named.map((segment) => segment.id))) {
        const entry = await writer.append(view(), content, signal);
        this.#own.addSmall(entry);
        last = entry.id;
        await clock.sleep(storage.capabilities.visibilityBoundMs ?? 0, { signal });
        await refresh(signal);
        if (!view().heads.some((seen) => seen.id === entry.id) && !view().recent.some((seen) => seen.id === entry.id)) {
          throw new NesteggError('repository.commit', 'the store confirmed a journal entry but does not show it', {
            retry: 'later',
            hint: 'Run the backup again; what was uploaded is used.',
          });
        }
      }
      unfinished.written = true;
      if (last !== undefined) await this.#noteCommit(last, lines);
      this.#adopt(named);
      const after = this.#lostPacks();
      const snapshots = this.#summaries(lines);
      if (after.length > 0) return { outcome: 'lost', snapshots, packs: after };
      this.#unfinished = undefined;
      await this.#parts.checkpoint(signal);
      return { outcome: 'committed', snapshots };
    });
  }

  async #line(record: SnapshotRecord, signal: AbortSignal | undefined): Promise<SnapshotListing> {
    const ref = await this.addBlob('snapshot', encodeSnapshotRecord(record), signal);
    return listingOf(record, ref);
  }

  #summaries(lines: readonly SnapshotListing[]): SnapshotSummary[] {
    const snapshots = this.#parts.view().snapshots;
    return lines.flatMap((line) => snapshots.get(line.id) ?? []);
  }

  /** Packs that what was claimed relies on and that were declared dead since the last look: their blobs are unknown now. */
  #lostPacks(): PackId[] {
    const { damaged } = this.#parts.view();
    const lost = new Set<PackId>();
    for (const dead of damaged) {
      const pack = packId(dead.slice(0, 64));
      if (this.#knownDead.has(dead)) continue;
      if (this.#reliedOn.delete(pack) || this.#reliesOnSnapshots) lost.add(pack);
    }
    this.#knownDead = damaged;
    if (lost.size > 0) this.#own.declareDead(damaged);
    return [...lost];
  }

  async #noteCommit(entry: EntryId, lines: readonly SnapshotListing[]): Promise<void> {
    const snapshots = lines.map((line) => line.id);
    await this.#parts.ledger.committed(this.#own.takeCommit(entry, snapshots));
  }

  #progressIsDue(): boolean {
    const { unlisted, unlistedBlobs } = this.#own;
    if (unlisted.length === 0) return false;
    if (unlisted.length >= progressEvery.packs || unlistedBlobs >= progressEvery.blobs) return true;
    return this.#parts.clock.monotonic() - this.#lastProgressMs >= progressEvery.ms;
  }

  async #progress(signal: AbortSignal | undefined): Promise<void> {
    if (this.#own.unlisted.length === 0 && this.#own.unnamed.length === 0) return;
    const { writer, view, refresh } = this.#parts;
    await this.#writeSegments(signal);
    await refresh(signal);
    const named = this.#own.unnamed;
    const content = { kind: 'progress', run: this.run, segments: named.map((segment) => segment.id) } as const;
    this.#own.addSmall(await writer.append(view(), content, signal));
    await refresh(signal);
    this.#adopt(named);
    this.#lastProgressMs = this.#parts.clock.monotonic();
  }

  async #writeSegments(signal: AbortSignal | undefined): Promise<void> {
    for (const packs of packsBySegment(this.#own.unlisted)) {
      const { id, bytes } = encodeIndexSegment(this.#parts.keys, packs, this.#parts.random);
      const name = segmentName(id);
      await this.#parts.storage.put(name, bytes, { signal });
      this.#own.addSegment({ id, packs }, { name, bytes });
    }
  }

  /** The journal names these segments now: their packs move from this session's own table to the common one. */
  #adopt(segments: readonly OwnSegment[]): void {
    for (const segment of segments) this.#parts.table().add(segment.id, segment.packs);
    this.#own.named(segments);
    this.#claims.forgetSettled();
  }

  async #finishMetadata(signal: AbortSignal | undefined): Promise<void> {
    const builder = this.#metadata;
    this.#metadata = undefined;
    if (builder && builder.count > 0) await this.addPack(builder.finish(), signal);
  }

  #newBuilder(): PackBuilder {
    const { keys, packBytes, random } = this.#parts;
    return new PackBuilder({ keys, capacityBytes: packBytes, random });
  }

  /** Journal work one after the other; a failure ends the session. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(() => {
      this.#check();
      return work();
    });
    this.#turn = turn.catch((error: unknown) => {
      this.#break(error);
    });
    return turn;
  }

  #break(error: unknown): unknown {
    this.#broken ??= error;
    return error;
  }

  #check(): void {
    if (this.#broken !== undefined) {
      throw new NesteggError('repository.commit', 'this run of writes has failed before', {
        cause: this.#broken,
        retry: 'later',
      });
    }
    if (!this.#open) throw new NesteggError('internal', 'this run of writes has ended');
  }
}

function inGroups<T>(lines: readonly T[]): T[][] {
  const groups: T[][] = [];
  for (let at = 0; at < lines.length; at += linesPerEntry) groups.push(lines.slice(at, at + linesPerEntry));
  return groups;
}
