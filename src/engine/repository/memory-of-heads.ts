/**
 * What this machine remembers of a repository's journal: the newest entry of every writer that it has seen, and, per
 * writer identity of its own, the entry it was about to write. It stands in the state directory, not in the cache, because a store that
 * shows less than this is lying or lost something.
 */
import { join } from 'node:path';
import { entryId, writerId, type EntryId, type WriterId } from '../../core/ids.ts';
import { readIfPresent, writeDurably } from '../../core/durable-file.ts';
import type { Random } from '../../core/random.ts';
import type { JournalHead } from '../format/shapes.ts';

export interface HeadsMemory {
  /** Newest remembered entry by writer; empty for a machine without memory. */
  read(): Promise<ReadonlyMap<WriterId, JournalHead>>;
  /** Never goes back: of a writer the newer entry is kept, for another process may have seen more. */
  write(heads: Iterable<JournalHead>): Promise<void>;
  /** The entry that an own identity was about to write last. */
  intended(writer: WriterId): Promise<EntryId | undefined>;
  intend(writer: WriterId, entry: EntryId): Promise<void>;
}

/** Nothing is remembered: for a recovery on an empty machine. */
export const noMemory: HeadsMemory = {
  read: () => Promise.resolve(new Map()),
  write: () => Promise.resolve(),
  intended: () => Promise.resolve(undefined),
  intend: () => Promise.resolve(),
};

export function headsMemory(directory: string, random: Random): HeadsMemory {
  const headsFile = join(directory, 'heads');
  const intentFile = (writer: WriterId): string => join(directory, 'writers', `${writer}.intent`);
  const read = async (): Promise<Map<WriterId, JournalHead>> => {
    const heads = new Map<WriterId, JournalHead>();
    for (const line of ((await readIfPresent(headsFile))?.toString() ?? '').split('\n')) {
      const [writer, sequence, id] = line.split(' ');
      if (writer === undefined || sequence === undefined || id === undefined) continue;
      heads.set(writerId(writer), { writer: writerId(writer), sequence: Number(sequence), id: entryId(id) });
    }
    return heads;
  };
  return {
    read,
    async write(heads) {
      const newest = await read();
      for (const head of heads) {
        if (head.sequence >= (newest.get(head.writer)?.sequence ?? 0)) newest.set(head.writer, head);
      }
      const lines = [...newest.values()].map((head) => `${head.writer} ${String(head.sequence)} ${head.id}\n`);
      await writeDurably(headsFile, lines.sort().join(''), random);
    },
    async intended(writer) {
      const text = (await readIfPresent(intentFile(writer)))?.toString();
      return text === undefined || text === '' ? undefined : entryId(text);
    },
    async intend(writer, entry) {
      await writeDurably(intentFile(writer), entry, random);
    },
  };
}
