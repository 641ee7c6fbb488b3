import type { BlobId, EntryId, SegmentId, SnapshotId } from '../../core/ids.ts';
import type { IndexedPack } from '../format/index-segment.ts';
import { packName } from '../format/names.ts';
import type { DeadSet } from './blob-table.ts';
import { MemoryTable } from './memory-table.ts';
import type { PendingCommit, SmallObject } from './offsite-ledger.ts';

/** A segment in the store, with what it lists. */
export interface OwnSegment {
  readonly id: SegmentId;
  readonly packs: readonly IndexedPack[];
}

/**
 * What a session has stored and the journal does not name yet. A confirmed pack is first *unlisted*, then listed by a
 * segment that is *unnamed*, then named by an entry and no longer here. Also what the next barrier must cover, and what
 * the next commit stands on.
 */
export class OwnPacks {
  #table = new MemoryTable();
  #dead: DeadSet;
  #unlisted: readonly IndexedPack[] = [];
  #unnamed: readonly OwnSegment[] = [];
  #unsettled: string[] = [];
  #names: string[] = [];
  #small: SmallObject[] = [];

  constructor(dead: DeadSet) {
    this.#dead = dead;
  }

  get unlisted(): readonly IndexedPack[] {
    return this.#unlisted;
  }

  get unlistedBlobs(): number {
    return this.#unlisted.reduce((sum, pack) => sum + pack.entries.length, 0);
  }

  get unnamed(): readonly OwnSegment[] {
    return this.#unnamed;
  }

  has(id: BlobId): boolean {
    return this.#table.packNumberOf(id) >= 0;
  }

  addPack(pack: IndexedPack): void {
    this.#table.addPacks([pack]);
    this.#unlisted = [...this.#unlisted, pack];
    this.#unsettled.push(packName(pack.id));
    this.#names.push(packName(pack.id));
  }

  /** `segment` lists the first packs of `unlisted`. */
  addSegment(segment: OwnSegment, object: SmallObject): void {
    this.#unlisted = this.#unlisted.slice(segment.packs.length);
    this.#unnamed = [...this.#unnamed, segment];
    this.#unsettled.push(object.name);
    this.addSmall(object);
  }

  addSmall(object: SmallObject): void {
    this.#names.push(object.name);
    this.#small.push(object);
  }

  /** The journal names these segments now. */
  named(segments: readonly OwnSegment[]): void {
    this.#unnamed = this.#unnamed.filter((segment) => !segments.includes(segment));
    this.#renew();
  }

  /** Blobs of these packs are no longer known. */
  declareDead(dead: DeadSet): void {
    this.#dead = dead;
    this.#renew();
  }

  /** Objects stored since the last call: for a barrier. */
  takeUnsettled(): readonly string[] {
    return this.#unsettled.splice(0);
  }

  /** What was stored since the last commit, which `entry` was. */
  takeCommit(entry: EntryId, snapshots: readonly SnapshotId[]): PendingCommit {
    return { entry, snapshots, names: this.#names.splice(0), small: this.#small.splice(0) };
  }

  #renew(): void {
    this.#table = new MemoryTable();
    this.#table.setDead(this.#dead);
    this.#table.addPacks([...this.#unnamed.flatMap((segment) => segment.packs), ...this.#unlisted]);
  }
}
