import type { Clock } from '../../core/clock.ts';
import type { EntryId, WriterId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import { encodeEntry } from '../format/entry.ts';
import type { KnownBody } from '../format/entry-body.ts';
import type { RepositoryKeys } from '../format/keys.ts';
import type { JournalHead } from '../format/shapes.ts';
import type { Storage } from '../storage/storage.ts';
import type { View } from './fold.ts';
import type { HeadsMemory } from './memory-of-heads.ts';
import type { WriterIdentity } from './writer-identity.ts';

/** A body without what every entry has: the writer adds it. */
export type EntryContent = KnownBody extends infer Body
  ? Body extends KnownBody
    ? Omit<Body, 'timeMs' | 'base' | 'siblings'>
    : never
  : never;

export interface AppendedEntry {
  readonly id: EntryId;
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface JournalWriterParts {
  readonly storage: Storage;
  readonly keys: RepositoryKeys;
  readonly memory: HeadsMemory;
  readonly clock: Clock;
  readonly random: Random;
  readonly takeIdentity: (avoid: ReadonlySet<WriterId>) => Promise<WriterIdentity>;
}

/**
 * Appends entries to one chain. The identity is taken at the first entry and left for a new one when the journal shows that somebody else
 * continued it: a cloned machine, a restored disk. What is about to be written is noted first, so that an entry
 * whose confirmation was lost is recognised as our own.
 */
export class JournalWriter {
  readonly #parts: JournalWriterParts;
  readonly #avoid = new Set<WriterId>();
  #identity: WriterIdentity | undefined;
  #written: EntryId | undefined;

  constructor(parts: JournalWriterParts) {
    this.#parts = parts;
  }

  /** Writes one entry on top of `view`. @throws StorageError; the entry may then be there all the same. */
  async append(view: View, content: EntryContent, signal?: AbortSignal): Promise<AppendedEntry> {
    const { identity, tip } = await this.#place(view);
    const { storage, keys, memory, clock, random } = this.#parts;
    const entry = encodeEntry({
      keys,
      seed: identity.seed,
      sequence: (tip?.sequence ?? 0) + 1,
      previous: tip?.id ?? null,
      body: {
        ...content,
        timeMs: clock.now(),
        base: { checkpoint: view.checkpoint, heads: view.headsBeyond },
        siblings: [],
      },
      random,
    });
    await memory.intend(identity.id, entry.id);
    await storage.put(entry.name, entry.bytes, { signal });
    this.#written = entry.id;
    return { id: entry.id, name: entry.name, bytes: entry.bytes };
  }

  async release(): Promise<void> {
    const identity = this.#identity;
    this.#identity = undefined;
    await identity?.release();
  }

  async #place(view: View): Promise<{ readonly identity: WriterIdentity; readonly tip: JournalHead | undefined }> {
    // Ends: an identity is avoided once, and one that is new has no entry.
    for (;;) {
      this.#identity ??= await this.#parts.takeIdentity(this.#avoid);
      const identity = this.#identity;
      const tips = view.heads.filter((head) => head.writer === identity.id);
      const tip = tips[0];
      if (tip === undefined) return { identity, tip };
      if (tips.length === 1 && !view.forked.has(identity.id) && (await this.#isOurs(identity.id, tip.id))) {
        return { identity, tip };
      }
      this.#avoid.add(identity.id);
      await this.release();
    }
  }

  async #isOurs(writer: WriterId, tip: EntryId): Promise<boolean> {
    if (this.#written === tip) return true;
    return (await this.#parts.memory.intended(writer)) === tip;
  }
}
