import { CorruptionError, messageOf, NesteggError, NotFoundError } from '../../core/errors.ts';
import { equalBytes } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import type { BlobId, PackId, RepositoryId, RunId, SegmentId, SnapshotId, WriterId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { OsLocks } from '../../core/os-lock.ts';
import type { Random } from '../../core/random.ts';
import { blake3 } from '../crypto/blake3.ts';
import { sha256Hex } from '../crypto/sha256.ts';
import { decodeIndexSegment, type IndexedPack } from '../format/index-segment.ts';
import type { RepositoryKeys } from '../format/keys.ts';
import { packName, segmentName } from '../format/names.ts';
import { openBlob, type BlobKind, type BlobRef, type CompressionLevel } from '../format/blob.ts';
import { decodeSnapshotRecord, type SnapshotRecord } from '../format/snapshot.ts';
import type { Storage } from '../storage/storage.ts';
import type { BlobTable, DeadSet } from './blob-table.ts';
import { checkpointIfDue, type CheckpointPace } from './checkpointing.ts';
import { findRollbacks, foldJournal, type View } from './fold.ts';
import { readJournal, type EntryCache } from './journal.ts';
import { JournalWriter } from './journal-writer.ts';
import { isLoss } from './loss.ts';
import type { HeadsMemory } from './memory-of-heads.ts';
import { keepListing, keptListing, takeListing, type PackListing } from './pack-listing.ts';
import { hasGateway, OffsiteLedger, type OffsiteState } from './offsite-ledger.ts';
import { PackReader } from './pack-reader.ts';
import type { BlobLocation, HistoryWarning, Repository, SnapshotSummary, WriteSession } from './repository.ts';
import { Session } from './session.ts';
import { addSegments, fits, openTable } from './table-cache.ts';
import { takeIdentity } from './writer-identity.ts';

/** Features of the format that this program knows. */
export const knownFeatures: ReadonlySet<string> = new Set();

export interface OpenParts {
  readonly name: string;
  readonly storage: Storage;
  readonly keys: RepositoryKeys;
  readonly owner: WriterId | undefined;
  readonly memory: HeadsMemory;
  /** State folder of this repository; `undefined`: nothing is kept on this machine. */
  readonly stateDirectory: string | undefined;
  readonly cacheDirectory: string | undefined;
  readonly locks: OsLocks | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly packBytes: number;
  readonly compression: CompressionLevel;
  readonly tableKind?: 'auto' | 'lmdb' | 'memory';
  readonly checkpointEvery?: CheckpointPace;
}

export class OpenRepository implements Repository {
  readonly id: RepositoryId;
  readonly name: string;
  readonly location: string;
  readonly keys: RepositoryKeys;
  readonly packBytes: number;
  readonly slabBytes: number | undefined;
  readonly #parts: OpenParts;
  readonly #reader: PackReader;
  readonly #entries: EntryCache = new Map();
  #view: View;
  #history: readonly HistoryWarning[];
  #table: BlobTable | undefined;
  #missing: ReadonlySet<PackId> = new Set();
  #listing: PackListing | undefined;
  readonly #ledger: OffsiteLedger;
  readonly #lostSegments = new Map<SegmentId, string>();

  private constructor(parts: OpenParts, entries: EntryCache, view: View, history: readonly HistoryWarning[]) {
    this.id = parts.keys.repositoryId;
    this.name = parts.name;
    this.location = parts.storage.location;
    this.keys = parts.keys;
    this.packBytes = parts.packBytes;
    this.slabBytes = parts.storage.capabilities.slabBytes;
    this.#parts = parts;
    this.#entries = entries;
    this.#view = view;
    this.#history = history;
    this.#reader = new PackReader(parts.storage);
    this.#ledger = new OffsiteLedger({ ...parts, directory: parts.stateDirectory });
  }

  /** Reads the journal. The blob table is opened when it is first asked for. @throws NesteggError, StorageError */
  static async open(parts: OpenParts, signal?: AbortSignal): Promise<OpenRepository> {
    const entries: EntryCache = new Map();
    const remembered = await parts.memory.read();
    const journal = await readJournal(parts, entries, signal);
    const view = foldJournal(journal, { owner: parts.owner, knownFeatures });
    if (view.refused.has('read')) {
      throw new NesteggError('repository.feature', `repository ${parts.name} was written by a newer Nestegg`, {
        hint: 'Install a newer version to read it.',
      });
    }
    const history = findRollbacks(journal, remembered);
    const repository = new OpenRepository(parts, entries, view, history);
    await repository.#remember();
    return repository;
  }

  get warnings(): readonly HistoryWarning[] {
    const missing = [...this.#missing].map((pack): HistoryWarning => ({ kind: 'missing-pack', pack }));
    const lost = [...this.#lostSegments].map(([segment, reason]): HistoryWarning => {
      return { kind: 'damaged', object: segmentName(segment), reason };
    });
    return [...this.#history, ...this.#view.warnings, ...missing, ...lost];
  }

  /** What the journal says: for checks and maintenance. */
  get view(): View {
    return this.#view;
  }

  get storage(): Storage {
    return this.#parts.storage;
  }

  snapshots(): readonly SnapshotSummary[] {
    return [...this.#view.snapshots.values()];
  }

  unproven(): ReadonlySet<SnapshotId> {
    return this.#view.unproven;
  }

  async refresh(signal?: AbortSignal): Promise<void> {
    const { owner, memory } = this.#parts;
    // Before the journal: another process may write an entry, and remember it, meanwhile.
    const remembered = await memory.read();
    const journal = await readJournal(this.#parts, this.#entries, signal);
    const lost = findRollbacks(journal, remembered);
    if (lost.length > 0) this.#history = lost;
    this.#view = foldJournal(journal, { owner, knownFeatures });
    await this.#remember();
    if (this.#table) await this.#updateTable(signal);
  }

  /** When each snapshot was first known to have left the gateway's disk; those absent are not known to have. */
  async offsiteTimes(): Promise<ReadonlyMap<SnapshotId, number>> {
    if (hasGateway(this.#parts.storage)) return this.#ledger.times();
    return new Map(this.snapshots().map((snapshot) => [snapshot.id, snapshot.committedMs]));
  }

  /** Looks which commits of this machine have become off-site, and puts back small objects that vanished. */
  settleOffsite(signal?: AbortSignal): Promise<OffsiteState> {
    return this.#ledger.settle(signal);
  }

  async readRecord(summary: Pick<SnapshotSummary, 'record'>, signal?: AbortSignal): Promise<SnapshotRecord> {
    return decodeSnapshotRecord(await this.readContent('snapshot', summary.record, signal));
  }

  blobId(kind: BlobKind, ref: BlobRef): BlobId {
    return this.keys.blobId(kind, ref);
  }

  locate(id: BlobId): BlobLocation | undefined {
    if (!this.#table) throw new NesteggError('internal', 'the index was not loaded before it was asked');
    return this.#table.get(id);
  }

  async loadIndex(signal?: AbortSignal): Promise<void> {
    if (!this.#table) await this.#updateTable(signal);
  }

  async *locateAll(isWanted: (id: BlobId) => boolean, signal?: AbortSignal): AsyncGenerator<BlobLocation> {
    for (const segment of this.#view.segments) {
      for (const { id, epoch, sizeBytes, entries } of (await this.#tryReadSegment(segment, signal)) ?? []) {
        for (const entry of entries) if (isWanted(entry.id)) yield { pack: id, epoch, packBytes: sizeBytes, entry };
      }
    }
  }

  async readContent(kind: Exclude<BlobKind, 'pbs-chunk'>, ref: BlobRef, signal?: AbortSignal): Promise<Uint8Array> {
    await this.loadIndex(signal);
    const id = this.blobId(kind, ref);
    const first = this.locate(id);
    try {
      if (!first) throw new NotFoundError(`a ${kind} blob is in no pack of repository ${this.name}`);
      return await this.#openContent(first, ref, signal);
    } catch (error) {
      if (!isLoss(error)) throw error;
      for await (const other of this.locateAll((each) => equalBytes(each, id), signal)) {
        if (other.pack === first?.pack) continue;
        const content = await this.#openContent(other, ref, signal).catch((again: unknown) => {
          if (!isLoss(again)) throw again;
          return undefined;
        });
        if (content) return content;
      }
      throw error;
    }
  }

  async readPack(pack: PackId, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#parts.storage.getRange(packName(pack), offset, length, { signal });
  }

  async readSegment(segment: SegmentId, signal?: AbortSignal): Promise<readonly IndexedPack[]> {
    const bytes = await this.#parts.storage.get(segmentName(segment), { signal });
    if (sha256Hex(bytes) !== segment) throw new CorruptionError(`index segment ${segment} does not match its name`);
    return decodeIndexSegment(this.keys, bytes);
  }

  /** What is not known to be off-site yet is asked about again by the next run: a failure here costs nothing. */
  async #tryToSettle(signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.settleOffsite(signal);
    } catch (error) {
      this.#parts.logger.warn('repository.offsite-unknown', { reason: messageOf(error) });
    }
  }

  /** A segment that is lost hides its packs until `rebuild-index`; it never stops what other segments list. */
  async #tryReadSegment(
    segment: SegmentId,
    signal: AbortSignal | undefined,
  ): Promise<readonly IndexedPack[] | undefined> {
    try {
      return await this.readSegment(segment, signal);
    } catch (error) {
      if (!isLoss(error)) throw error;
      this.#lostSegments.set(segment, messageOf(error));
      return undefined;
    }
  }

  async write(options: { readonly run: RunId; readonly signal?: AbortSignal | undefined }): Promise<WriteSession> {
    const { signal } = options;
    await this.refresh(signal);
    if (this.#view.refused.has('write')) {
      throw new NesteggError('repository.feature', `repository ${this.name} was changed by a newer Nestegg`, {
        hint: 'Install a newer version to write to it; reading goes on working.',
      });
    }
    await this.#checkpoint(signal);
    await this.loadIndex(signal);
    await this.#provePacks(signal);
    const writer = this.#journalWriter();
    const { storage, clock, random, packBytes, compression } = this.#parts;
    return new Session({
      run: options.run,
      storage,
      keys: this.keys,
      writer,
      clock,
      random,
      packBytes,
      compression,
      table: () => this.#needTable(),
      view: () => this.#view,
      refresh: (abort) => this.refresh(abort),
      stored: (pack) => {
        this.#noteStored(pack);
      },
      checkpoint: (abort) => this.#checkpoint(abort),
      ledger: this.#ledger,
      ended: async (abandoned) => {
        await writer.release();
        if (!abandoned && signal?.aborted !== true) await this.#tryToSettle(signal);
        if (this.#listing) await keepListing(this.#listing, this.#listingPlace());
      },
    });
  }

  async close(): Promise<void> {
    await this.#table?.close();
    this.#table = undefined;
    await this.#parts.storage.close();
  }

  /** A writer of entries under an own identity; the caller releases it. */
  #journalWriter(): JournalWriter {
    const { storage, keys, memory, clock, random, stateDirectory, locks } = this.#parts;
    const place = { directory: stateDirectory, locks, random };
    return new JournalWriter({
      storage,
      keys,
      memory,
      clock,
      random,
      takeIdentity: (avoid) => takeIdentity(place, avoid),
    });
  }

  /** Appends one entry outside of a run: check and repair use it. */
  async append(content: Parameters<JournalWriter['append']>[1], signal?: AbortSignal): Promise<void> {
    const writer = this.#journalWriter();
    try {
      await this.refresh(signal);
      await writer.append(this.#view, content, signal);
      await this.refresh(signal);
    } finally {
      await writer.release();
    }
  }

  async #openContent(location: BlobLocation, ref: BlobRef, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const { pack, packBytes, epoch, entry } = location;
    const sealed = await this.#reader.read(pack, packBytes, entry.offset, entry.sealedLength, signal);
    try {
      const content = openBlob(this.keys, epoch, entry, sealed);
      if (content.byteLength !== ref.length || !equalBytes(blake3(content), ref.digest)) {
        throw new CorruptionError(`a ${entry.kind} blob of pack ${pack} has another digest than its name says`);
      }
      return content;
    } catch (error) {
      this.#reader.forget(pack);
      throw error;
    }
  }

  #needTable(): BlobTable {
    if (!this.#table) throw new NesteggError('internal', 'the index was not loaded before it was asked');
    return this.#table;
  }

  #dead(): DeadSet {
    return new Set<string>([...this.#view.damaged, ...this.#missing]);
  }

  async #updateTable(signal: AbortSignal | undefined): Promise<void> {
    const { segments } = this.#view;
    const dead = this.#dead();
    const readSegment = (id: SegmentId): Promise<readonly IndexedPack[] | undefined> =>
      this.#tryReadSegment(id, signal);
    if (this.#table && fits(this.#table.stamp(), segments, dead)) {
      await addSegments(this.#table, { segments, readSegment });
      return;
    }
    const { cacheDirectory: directory, random, tableKind } = this.#parts;
    const outdated = this.#table;
    // The old one answers until the new one is there: a session is asked for chunks all the while.
    this.#table = await openTable({
      directory,
      segments,
      dead,
      random,
      readSegment,
      ...(tableKind && { kind: tableKind }),
    });
    await outdated?.close();
  }

  /** A pack that the journal names counts only if a complete listing of the last 24 hours shows it. */
  async #provePacks(signal: AbortSignal | undefined): Promise<void> {
    const { storage } = this.#parts;
    const place = this.#listingPlace();
    let listing = await keptListing(place);
    let missing = listing && this.#notIn(listing);
    if (!listing || !missing || missing.size > 0) {
      listing = await takeListing(storage, place, signal);
      missing = this.#notIn(listing);
    }
    this.#listing = listing;
    if (missing.size > 0) {
      this.#missing = new Set([...this.#missing, ...missing]);
      this.#parts.logger.error('repository.packs-missing', { repository: this.name, packs: missing.size });
      await this.#updateTable(signal);
    }
  }

  #notIn(listing: PackListing): Set<PackId> {
    const missing = new Set<PackId>();
    for (const pack of this.#needTable().packs()) if (!listing.packs.has(pack)) missing.add(pack);
    return missing;
  }

  #noteStored(pack: PackId): void {
    this.#listing?.packs.add(pack);
  }

  #listingPlace(): { directory: string | undefined; clock: Clock; random: Random } {
    return { directory: this.#parts.stateDirectory, clock: this.#parts.clock, random: this.#parts.random };
  }

  async #remember(): Promise<void> {
    if (this.#history.length > 0) return;
    await this.#parts.memory.write(this.#view.heads);
  }

  async #checkpoint(signal: AbortSignal | undefined): Promise<void> {
    const id = await checkpointIfDue(this.#parts, this.#view, signal);
    if (id !== undefined) await this.refresh(signal);
  }
}
