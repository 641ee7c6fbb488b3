/**
 * Which snapshots have left the gateway's own disk, and the small objects of those that have not. A gateway may lose what
 * it only buffers, so whoever commits keeps entry and index segments until they are off-site, and puts them back if they vanish.
 *
 * Where a store has no gateway, being committed is being off-site, and nothing is kept.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fromHex, toHex } from '../../core/bytes.ts';
import { BinaryReader, BinaryWriter } from '../../core/binary.ts';
import type { Clock } from '../../core/clock.ts';
import { readIfPresent, writeDurably } from '../../core/durable-file.ts';
import { decoding } from '../../core/errors.ts';
import { entryId, snapshotId, type EntryId, type SnapshotId } from '../../core/ids.ts';
import type { Logger } from '../../core/logger.ts';
import type { Random } from '../../core/random.ts';
import type { Storage } from '../storage/storage.ts';

export interface SmallObject {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** One commit that is not known to be off-site. */
export interface PendingCommit {
  /** The entry that committed them. */
  readonly entry: EntryId;
  readonly snapshots: readonly SnapshotId[];
  /** Everything the commit stands on and that was stored since the one before: packs, segments, entries. */
  readonly names: readonly string[];
  /** Those of them that are small enough to be kept: segments and entries. */
  readonly small: readonly SmallObject[];
}

export interface LedgerParts {
  /** State folder of the repository; `undefined`: nothing is remembered. */
  readonly directory: string | undefined;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface OffsiteState {
  /** Commits whose objects are not all off-site. */
  readonly pendingCommits: number;
  readonly pendingObjects: number;
  /** Objects that had vanished and were put back. */
  readonly putBack: number;
}

const longestList = 2 ** 20;

/** True where a store holds data back on a disk of its own after it confirmed them. */
export function hasGateway(storage: Storage): boolean {
  return storage.capabilities.slabBytes !== undefined || storage.capabilities.costlyBarrier;
}

export class OffsiteLedger {
  readonly #parts: LedgerParts;
  #times: Map<SnapshotId, number> | undefined;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  /** Called once a commit is in the journal. @throws when the state folder cannot be written. */
  async committed(commit: PendingCommit): Promise<void> {
    const { directory, storage, random } = this.#parts;
    if (directory === undefined || !hasGateway(storage)) return;
    await mkdir(join(directory, 'pending'), { recursive: true, mode: 0o700 });
    await writeDurably(this.#fileOf(commit.entry), encodeCommit(commit), random);
  }

  /** Asks the store about every commit that is not known to be off-site; puts back what vanished. @throws StorageError */
  async settle(signal?: AbortSignal): Promise<OffsiteState> {
    let state: OffsiteState = { pendingCommits: 0, pendingObjects: 0, putBack: 0 };
    const offsite: SnapshotId[] = [];
    for (const commit of await this.#kept()) {
      const putBack = await this.#putBackVanished(commit, signal);
      const pending = await this.#parts.storage.pending(commit.names, { signal });
      if (pending.length === 0) {
        offsite.push(...commit.snapshots);
        await this.#record(commit.snapshots);
        await rm(this.#fileOf(commit.entry), { force: true });
      }
      state = {
        pendingCommits: state.pendingCommits + (pending.length === 0 ? 0 : 1),
        pendingObjects: state.pendingObjects + pending.length,
        putBack: state.putBack + putBack,
      };
    }
    if (offsite.length > 0) this.#parts.logger.info('repository.offsite', { snapshots: offsite.length });
    if (state.putBack > 0) this.#parts.logger.warn('repository.put-back', { objects: state.putBack });
    return state;
  }

  /** When these snapshots were first seen off-site, by this machine. */
  async times(): Promise<ReadonlyMap<SnapshotId, number>> {
    this.#times ??= await this.#readTimes();
    return this.#times;
  }

  async #putBackVanished(commit: PendingCommit, signal: AbortSignal | undefined): Promise<number> {
    const { storage } = this.#parts;
    let putBack = 0;
    for (const { name, bytes } of commit.small) {
      if (await storage.head(name, { signal })) continue;
      await storage.put(name, bytes, { signal });
      putBack += 1;
    }
    return putBack;
  }

  async #kept(): Promise<PendingCommit[]> {
    const { directory } = this.#parts;
    if (directory === undefined) return [];
    const folder = join(directory, 'pending');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const commits: PendingCommit[] = [];
    for (const name of (await readdir(folder)).sort()) {
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      const bytes = await readIfPresent(join(folder, name));
      if (bytes) commits.push(decoding(`the pending commit ${name}`, () => decodeCommit(bytes), 'state.corrupt'));
    }
    return commits;
  }

  async #readTimes(): Promise<Map<SnapshotId, number>> {
    const { directory } = this.#parts;
    const text = directory === undefined ? undefined : await readIfPresent(join(directory, 'offsite'));
    const times = new Map<SnapshotId, number>();
    for (const [, id, ms] of (text?.toString() ?? '').matchAll(/^([0-9a-f]{32}) (\d+)$/gm)) {
      if (id !== undefined) times.set(snapshotId(id), Number(ms));
    }
    return times;
  }

  async #record(snapshots: readonly SnapshotId[]): Promise<void> {
    const { directory, clock, random } = this.#parts;
    if (directory === undefined) return;
    const times = (this.#times ??= await this.#readTimes());
    const now = clock.now();
    for (const id of snapshots) if (!times.has(id)) times.set(id, now);
    const lines = [...times].map(([id, ms]) => `${id} ${String(ms)}\n`);
    await writeDurably(join(directory, 'offsite'), lines.join(''), random);
  }

  #fileOf(entry: EntryId): string {
    return join(this.#parts.directory ?? '', 'pending', entry);
  }
}

function encodeCommit({ entry, snapshots, names, small }: PendingCommit): Uint8Array {
  const writer = new BinaryWriter(4096).raw(fromHex(entry));
  writer.u32(snapshots.length);
  for (const snapshot of snapshots) writer.raw(fromHex(snapshot));
  writer.u32(names.length);
  for (const name of names) writer.text(name);
  writer.u32(small.length);
  for (const { name, bytes } of small) writer.text(name).sized(bytes);
  return writer.finish();
}

function decodeCommit(bytes: Uint8Array): PendingCommit {
  const reader = new BinaryReader(bytes);
  const entry = entryId(toHex(reader.view(32)));
  const snapshots = Array.from({ length: reader.count(16, longestList) }, () => snapshotId(toHex(reader.view(16))));
  const names = Array.from({ length: reader.count(4, longestList) }, () => reader.text(200));
  const small = Array.from({ length: reader.count(8, longestList) }, () => ({
    name: reader.text(200),
    bytes: reader.copy(reader.u32()),
  }));
  reader.end();
  return { entry, snapshots, names, small };
}
