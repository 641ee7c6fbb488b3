/**
 * Reading the journal: newest usable checkpoint, every entry that it does not cover, and what is wrong with them.
 * Nothing is decided here about what the entries mean; `fold.ts` does that.
 */
import type { CheckpointId, EntryId, WriterId } from '../../core/ids.ts';
import { writerId } from '../../core/ids.ts';
import { messageOf } from '../../core/errors.ts';
import { decodeCheckpoint, type CheckpointState } from '../format/checkpoint.ts';
import { decodeEntry, type DecodedEntry, type EntryOutcome } from '../format/entry.ts';
import type { RepositoryKeys } from '../format/keys.ts';
import { parseObjectName } from '../format/names.ts';
import type { JournalHead } from '../format/shapes.ts';
import type { Storage } from '../storage/storage.ts';
import { isLoss } from './loss.ts';
import type { HistoryWarning } from './repository.ts';

export interface Journal {
  readonly checkpoint: { readonly id: CheckpointId; readonly state: CheckpointState } | undefined;
  /** Entries beyond the checkpoint, by writer and sequence. */
  readonly entries: readonly DecodedEntry[];
  readonly warnings: readonly HistoryWarning[];
  /** Every head that some entry names was found, and no chain has a hole. */
  readonly closed: boolean;
}

export interface JournalSource {
  readonly storage: Storage;
  readonly keys: RepositoryKeys;
}

/** What an earlier read already decoded, so that a second look costs only what is new. */
export type EntryCache = Map<string, DecodedEntry>;

/** How many sequence numbers before a covered head are looked at again, for forks that arrived late. */
export const forkWindow = 64;
const parallelReads = 64;

export async function readJournal(source: JournalSource, cache: EntryCache, signal?: AbortSignal): Promise<Journal> {
  const first = await readOnce(source, cache, signal);
  if (first.closed) return first;
  // A listing may lag behind what another object already names: look once more before calling it a gap.
  return readOnce(source, cache, signal);
}

async function readOnce(source: JournalSource, cache: EntryCache, signal: AbortSignal | undefined): Promise<Journal> {
  const warnings: HistoryWarning[] = [];
  const checkpoint = await newestCheckpoint(source, warnings, signal);
  const covered = new Covered(checkpoint?.state);
  const names = await uncoveredNames(source.storage, covered, signal);
  const entries = await readEntries(source, names, cache, warnings, signal);
  const holes = findHoles(entries, covered);
  warnings.push(...holes, ...findForks(entries, covered));
  return { checkpoint, entries, warnings, closed: holes.length === 0 };
}

/** What a checkpoint stands for. */
export class Covered {
  readonly #newest = new Map<WriterId, number>();
  readonly #recent = new Set<EntryId>();

  constructor(state: CheckpointState | undefined) {
    for (const head of state?.heads ?? []) {
      this.#newest.set(head.writer, Math.max(head.sequence, this.#newest.get(head.writer) ?? 0));
      this.#recent.add(head.id);
    }
    for (const head of state?.recent ?? []) this.#recent.add(head.id);
  }

  newest(writer: WriterId): number {
    return this.#newest.get(writer) ?? 0;
  }

  /** Older entries than the window are covered by the chain; within it only those that the checkpoint names. */
  has(head: JournalHead): boolean {
    return this.#recent.has(head.id) || head.sequence <= this.newest(head.writer) - forkWindow;
  }
}

async function newestCheckpoint(
  { storage, keys }: JournalSource,
  warnings: HistoryWarning[],
  signal: AbortSignal | undefined,
): Promise<Journal['checkpoint']> {
  const names: string[] = [];
  for await (const { name } of storage.list('checkpoints/', { signal })) names.push(name);
  for (const name of names.sort().reverse()) {
    const object = parseObjectName(name);
    if (object?.type !== 'checkpoint') {
      warnings.push({ kind: 'foreign', object: name, reason: 'not a checkpoint name' });
      continue;
    }
    try {
      return { id: object.id, state: decodeCheckpoint(keys, name, await storage.get(name, { signal })) };
    } catch (error) {
      if (!isLoss(error)) throw error;
      warnings.push({ kind: 'damaged', object: name, reason: messageOf(error) });
    }
  }
  return undefined;
}

async function uncoveredNames(storage: Storage, covered: Covered, signal: AbortSignal | undefined): Promise<string[]> {
  const writers = await storage.folders('journal/', { signal });
  const lists = await Promise.all(
    writers.map(async (folder) => {
      if (!/^[0-9a-f]{64}$/.test(folder)) return [];
      const writer = writerId(folder);
      const from = Math.max(0, covered.newest(writer) - forkWindow);
      const startAfter = from === 0 ? undefined : `journal/${writer}/${from.toString(16).padStart(16, '0')}`;
      const names: string[] = [];
      for await (const { name } of storage.list(`journal/${writer}/`, { startAfter, signal })) names.push(name);
      return names;
    }),
  );
  return lists.flat().filter((name) => {
    const object = parseObjectName(name);
    return object?.type !== 'entry' || !covered.has(object);
  });
}

async function readEntries(
  { storage, keys }: JournalSource,
  names: readonly string[],
  cache: EntryCache,
  warnings: HistoryWarning[],
  signal: AbortSignal | undefined,
): Promise<DecodedEntry[]> {
  const entries: DecodedEntry[] = [];
  for (let at = 0; at < names.length; at += parallelReads) {
    const batch = names.slice(at, at + parallelReads);
    const read = await Promise.all(
      batch.map(async (name) => {
        const known = cache.get(name);
        if (known) return known;
        if (parseObjectName(name)?.type !== 'entry')
          return { outcome: 'foreign', object: name, reason: 'not an entry name' } as const;
        return readEntry(storage, keys, name, signal);
      }),
    );
    read.forEach((result, index) => {
      const name = batch[index] ?? '';
      if (result.outcome === 'ok') {
        cache.set(name, result);
        entries.push(result);
      } else {
        warnings.push({ kind: result.outcome, object: name, reason: result.reason });
      }
    });
  }
  return entries.sort((a, b) => (a.writer === b.writer ? a.sequence - b.sequence : a.writer < b.writer ? -1 : 1));
}

/** A lost entry is a finding: the others still tell what they tell. @throws StorageError when the store fails. */
async function readEntry(
  storage: Storage,
  keys: RepositoryKeys,
  name: string,
  signal: AbortSignal | undefined,
): Promise<EntryOutcome> {
  try {
    return decodeEntry(keys, name, await storage.get(name, { signal }));
  } catch (error) {
    if (!isLoss(error)) throw error;
    return { outcome: 'damaged', reason: messageOf(error) };
  }
}

function findHoles(entries: readonly DecodedEntry[], covered: Covered): HistoryWarning[] {
  const present = new Set<EntryId>(entries.map((entry) => entry.id));
  const there = (head: JournalHead): boolean => present.has(head.id) || covered.has(head);
  const holes = new Map<string, HistoryWarning>();
  const miss = (head: JournalHead): void => {
    holes.set(`${head.writer}:${String(head.sequence)}`, { kind: 'gap', writer: head.writer, sequence: head.sequence });
  };
  for (const entry of entries) {
    if (entry.previous !== null) {
      const previous = { writer: entry.writer, sequence: entry.sequence - 1, id: entry.previous };
      if (!there(previous)) miss(previous);
    }
    for (const head of entry.body.base?.heads ?? []) if (!there(head)) miss(head);
  }
  return [...holes.values()];
}

/** A checkpoint covers whole chains: an entry that it does not name beside one that it covers is the other side of a fork. */
function findForks(entries: readonly DecodedEntry[], covered: Covered): HistoryWarning[] {
  const seen = new Set<string>();
  const forks: HistoryWarning[] = [];
  for (const entry of entries) {
    const place = `${entry.writer}:${String(entry.sequence)}`;
    if (seen.has(place) || entry.sequence <= covered.newest(entry.writer))
      forks.push({ kind: 'fork', writer: entry.writer, sequence: entry.sequence });
    seen.add(place);
  }
  return forks;
}
