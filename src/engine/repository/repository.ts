/**
 * # Repository: one encrypted, deduplicated store at one location
 *
 * Words: see `docs/repository-format.md`. A *session* is one run of writes; a *view* is the folded journal at one moment.
 *
 * Invariants: what a snapshot entry names is readable until a sweep; a session commits nothing that was not confirmed by
 * the store; no method trusts a byte that it did not authenticate in this call.
 */
import type { BlobId, PackId, RepositoryId, RunId, SnapshotId, WriterId } from '../../core/ids.ts';
import type { BlobKind, BlobRef, PackEntry } from '../format/blob.ts';
import type { RepositoryKeys } from '../format/keys.ts';
import type { SnapshotRecord } from '../format/snapshot.ts';
import type { OffsiteState } from './offsite-ledger.ts';

/** A sealed pack, ready to be stored. `bytes` is not changed by anyone from here on. */
export interface FinishedPack {
  readonly id: PackId;
  readonly bytes: Uint8Array;
  readonly entries: readonly PackEntry[];
  /** Of the keys that it is sealed with. */
  readonly epoch: number;
}

export interface BlobLocation {
  readonly pack: PackId;
  /** Key epoch of the pack. */
  readonly epoch: number;
  /** Length of the whole pack. */
  readonly packBytes: number;
  readonly entry: PackEntry;
}

/** One snapshot as the journal knows it, without reading its record. Times in milliseconds since the epoch. */
export interface SnapshotSummary {
  readonly id: SnapshotId;
  /** The record that counts now: the one of the snapshot entry, or of its latest amend entry. */
  readonly record: BlobRef;
  readonly backup: string;
  /** Unit of retention: PBS `<namespace>|<type>/<id>`, else the name of the source. */
  readonly group: string;
  /** Identity of the item within the group, equal in all repositories: PBS: the backup time in seconds. */
  readonly item: string;
  readonly timeMs: number;
  readonly run: RunId;
  readonly sizeBytes: number;
  /** Committed although parts were unreadable: `--allow-damaged`. */
  readonly damaged: boolean;
  readonly committedMs: number;
  /** Time of the entry that tells the record: of the commit, or of the latest amendment. */
  readonly recordedMs: number;
  readonly writer: WriterId;
}

export type ClaimResult =
  /** In an alive pack, or already stored by this session. */
  | 'known'
  /** The caller must store it now. Until then further claims of it answer `claimed`. */
  | 'new'
  /** Claimed earlier in this session and on its way. */
  | 'claimed'
  /** Claimed earlier in this session and given up with `disclaim`. */
  | 'failed';

export type CommitResult =
  | { readonly outcome: 'committed'; readonly snapshots: readonly SnapshotSummary[] }
  /**
   * The entry is written, but packs that the snapshots rely on are gone. Their blobs are no longer known: store the
   * items again with the same session, then call `mend`.
   */
  | { readonly outcome: 'lost'; readonly snapshots: readonly SnapshotSummary[]; readonly packs: readonly PackId[] };

export interface SessionTotals {
  readonly storedBytes: number;
  readonly storedPacks: number;
  readonly newBlobs: number;
}

/** One run of writes. Not safe for two runs at once: open one session a run. */
export interface WriteSession {
  readonly run: RunId;
  readonly totals: SessionTotals;

  claim(id: BlobId): ClaimResult;
  /** Gives up a claim whose content could not be read or verified. */
  disclaim(id: BlobId): void;
  /**
   * Whether all that this committed snapshot names is known, so that its blobs need not be claimed one by one. When it
   * answers true, every pack that dies from here on counts as lost at the next commit.
   */
  relyOn(snapshot: SnapshotId): boolean;

  /**
   * Uploads the pack and makes its blobs known once the store confirmed it. Resolves then. May write an index segment
   * and a progress entry. @throws StorageError; afterwards the session is broken and only `abandon` is allowed.
   */
  addPack(pack: FinishedPack, signal?: AbortSignal): Promise<void>;

  /**
   * Stores a small content (list, tree, record, file content) unless it is known, and returns what names it. The bytes
   * are copied before it returns; at most 16 MiB + 64 KiB.
   */
  addBlob(kind: Exclude<BlobKind, 'pbs-chunk'>, content: Uint8Array, signal?: AbortSignal): Promise<BlobRef>;

  /** Packs, index segment and progress entry for everything so far. What was added stays usable by later runs. */
  flush(signal?: AbortSignal): Promise<void>;

  /** Packs → index → barrier → journal read again → entry → visibility bound → journal read again. */
  commit(records: readonly SnapshotRecord[], signal?: AbortSignal): Promise<CommitResult>;
  /** Replaces the record of a committed snapshot (notes, protection, late logs). Same steps as a commit. */
  amend(
    changes: readonly { readonly snapshot: SnapshotId; readonly record: SnapshotRecord }[],
    signal?: AbortSignal,
  ): Promise<CommitResult>;
  /**
   * After `lost`: names what was stored again. Else: says that these snapshots were found whole, or made whole, with
   * all that this session claimed and stored.
   */
  mend(snapshots: readonly SnapshotId[], signal?: AbortSignal): Promise<CommitResult>;

  /**
   * Ends the session, after a cancelled run too: the journal names the confirmed packs first, so that later runs go on
   * from them. Always call one of `close` and `abandon`.
   */
  close(): Promise<void>;
  /** Like `close`, without another request to the store. */
  abandon(): Promise<void>;
}

export interface Repository {
  readonly id: RepositoryId;
  readonly name: string;
  readonly location: string;
  /** Key material, for compute workers of this process only. */
  readonly keys: RepositoryKeys;
  readonly packBytes: number;
  readonly slabBytes: number | undefined;
  /** Problems found while opening: a gap, a rollback, foreign objects. Empty when all is well. */
  readonly warnings: readonly HistoryWarning[];

  /** Committed snapshots, in no particular order, from the view taken at opening or by the latest `refresh`. */
  snapshots(): readonly SnapshotSummary[];
  /** Snapshots that may rely on something declared damaged since they were committed. */
  unproven(): ReadonlySet<SnapshotId>;
  refresh(signal?: AbortSignal): Promise<void>;
  /** When each snapshot was first known to have left the gateway's disk; those absent are not known to have. */
  offsiteTimes(): Promise<ReadonlyMap<SnapshotId, number>>;
  /** Looks which commits of this machine have become off-site, and puts back small objects that vanished meanwhile. */
  settleOffsite(signal?: AbortSignal): Promise<OffsiteState>;
  readRecord(summary: Pick<SnapshotSummary, 'record'>, signal?: AbortSignal): Promise<SnapshotRecord>;

  blobId(kind: BlobKind, ref: BlobRef): BlobId;
  /** Reads the index, if it was not read yet; `locate` needs it. `write` and `readContent` do it by themselves. */
  loadIndex(signal?: AbortSignal): Promise<void>;
  /** Where a blob lies, if it is in an alive pack and not marked damaged. */
  locate(id: BlobId): BlobLocation | undefined;
  /** One content, with its digest checked. @throws CorruptionError, NotFoundError, StorageError. */
  readContent(kind: Exclude<BlobKind, 'pbs-chunk'>, ref: BlobRef, signal?: AbortSignal): Promise<Uint8Array>;
  /** Sealed bytes of a pack or of a part of it; for restore workers and checks. */
  readPack(pack: PackId, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;

  /** Every place where wanted blobs lie, in one slow pass over the index, without the cache: for when a read failed. */
  locateAll(isWanted: (id: BlobId) => boolean, signal?: AbortSignal): AsyncIterable<BlobLocation>;

  /** Starts a run of writes. @throws NesteggError `repository.feature` when this program may not write here. */
  write(options: { readonly run: RunId; readonly signal?: AbortSignal | undefined }): Promise<WriteSession>;

  close(): Promise<void>;
}

export type HistoryWarning =
  | { readonly kind: 'rollback'; readonly writer: WriterId; readonly remembered: number; readonly found: number }
  | { readonly kind: 'gap'; readonly writer: WriterId; readonly sequence: number }
  | { readonly kind: 'fork'; readonly writer: WriterId; readonly sequence: number }
  | { readonly kind: 'damaged'; readonly object: string; readonly reason: string }
  | { readonly kind: 'foreign'; readonly object: string; readonly reason: string }
  | { readonly kind: 'ignored'; readonly object: string; readonly reason: string }
  | { readonly kind: 'missing-pack'; readonly pack: PackId };
