import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { entryId, packId, runId } from '../../../src/core/ids.ts';
import { StorageError } from '../../../src/core/errors.ts';
import { systemRandom } from '../../../src/core/random.ts';
import { sha256 } from '../../../src/engine/crypto/sha256.ts';
import { encodeCheckpoint } from '../../../src/engine/format/checkpoint.ts';
import { encodeEntry, type DecodedEntry } from '../../../src/engine/format/entry.ts';
import { stateOf } from '../../../src/engine/repository/checkpointing.ts';
import { foldJournal, type View } from '../../../src/engine/repository/fold.ts';
import { readJournal, type Journal } from '../../../src/engine/repository/journal.ts';
import { withFaults } from '../../../src/engine/storage/faulty.ts';
import { MemoryStorage } from '../../../src/engine/storage/memory.ts';
import { listingOf, writerOf, type WrittenEntry } from '../../support/journal.ts';
import { owner, testKeys } from '../../support/repository.ts';

const rules = { owner, knownFeatures: new Set<string>() };
const run = runId('12'.repeat(16));
const snapshot = (name: string) => ({ kind: 'snapshot', run, snapshots: [listingOf(name)], segments: [] }) as const;
const damaged = { kind: 'damaged', packs: [packId('1'.repeat(64))], blobs: [] } as const;

async function stored(entries: readonly Pick<WrittenEntry, 'name' | 'bytes'>[]): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  for (const { name, bytes } of entries) await storage.put(name, bytes);
  return storage;
}

const journalOf = (storage: MemoryStorage): Promise<Journal> => readJournal({ storage, keys: testKeys }, new Map());

async function viewOf(...entries: readonly WrittenEntry[]): Promise<View> {
  return foldJournal(await journalOf(await stored(entries)), rules);
}

async function writeCheckpoint(storage: MemoryStorage, view: View): Promise<string> {
  const made = encodeCheckpoint({ keys: testKeys, state: stateOf(view, 5), random: systemRandom });
  await storage.put(made.name, made.bytes);
  return made.name;
}

describe('doubt about snapshots', () => {
  const { id } = listingOf('a');

  it('rests on what was committed before damage was declared, or at the same time, whatever the order of entries', async () => {
    for (let number = 1; number < 16; number += 2) {
      const [one, two] = [writerOf(number), writerOf(number + 1)];
      const earlier = one.write(snapshot('earlier'));
      const view = await viewOf(earlier, one.write(snapshot('a')), two.write(damaged));
      expect(view.unproven).toEqual(new Set([id, listingOf('earlier').id]));
    }
  });

  it('does not rest on what was committed by a writer that had seen the damage', async () => {
    const damage = writerOf(2).write(damaged);
    expect((await viewOf(damage, writerOf(1).write(snapshot('a'), [damage.head]))).unproven.size).toBe(0);
  });

  it('is settled only by a writer that had seen all the damage', async () => {
    const commit = writerOf(1).write(snapshot('a'));
    const first = writerOf(2).write(damaged, [commit.head]);
    const second = writerOf(3).write(damaged, [commit.head]);
    const mend = { kind: 'mend', run, snapshots: [id], segments: [] } as const;
    expect((await viewOf(commit, first, second, writerOf(4).write(mend, [first.head]))).unproven).toEqual(
      new Set([id]),
    );
    const informed = writerOf(4).write(mend, [first.head, second.head]);
    expect((await viewOf(commit, first, second, informed)).unproven.size).toBe(0);
  });
});

describe('a journal that is partly lost', () => {
  it.each(['storage.not-found', 'storage.corrupt'] as const)(
    'is read without an entry that answers %s',
    async (code) => {
      const [lost, kept] = [writerOf(1).write(snapshot('a')), writerOf(2).write(snapshot('b'))];
      const fault = { kind: 'error-before', error: () => new StorageError(code, 'scripted') } as const;
      const storage = withFaults(await stored([lost, kept]), {
        rules: [{ operation: 'get', subject: new RegExp(lost.name), fault }],
      });
      const journal = await readJournal({ storage, keys: testKeys }, new Map());
      expect(journal.entries.map((entry) => entry.id)).toEqual([kept.entry.id]);
      expect(journal.warnings).toEqual([{ kind: 'damaged', object: lost.name, reason: 'scripted' }]);
    },
  );

  it('is read from its entries when the checkpoint cannot be', async () => {
    const storage = await stored([writerOf(1).write(snapshot('a'))]);
    const name = await writeCheckpoint(storage, foldJournal(await journalOf(storage), rules));
    const fault = { kind: 'error-before', error: () => new StorageError('storage.corrupt', 'scripted') } as const;
    const faulty = withFaults(storage, { rules: [{ operation: 'get', subject: /^checkpoints/, fault }] });
    const journal = await readJournal({ storage: faulty, keys: testKeys }, new Map());
    expect(journal.entries).toHaveLength(1);
    expect(journal.warnings).toMatchObject([{ kind: 'damaged', object: name }]);
  });

  it('is folded also when all of a long history has to be', () => {
    const [first, second] = [writerOf(1).id, writerOf(2).id];
    const length = 20_000;
    const idOf = (number: number) => entryId(number.toString(16).padStart(64, '0'));
    const entry = (writer: typeof first, sequence: number, number: number, seen: readonly number[]): DecodedEntry => ({
      outcome: 'ok',
      id: idOf(number),
      writer,
      sequence,
      previous: sequence === 1 ? null : idOf(number - 1),
      roles: [],
      body: {
        ...snapshot('a'),
        timeMs: 1,
        base: { checkpoint: null, heads: seen.map((each) => ({ writer: first, sequence: each, id: idOf(each) })) },
        siblings: [],
      },
    });
    const chain = Array.from({ length }, (_, at) => entry(first, at + 1, at + 1, []));
    const entries = [entry(second, 1, length + 1, [length]), ...chain];
    const view = foldJournal({ checkpoint: undefined, entries, warnings: [], closed: true }, rules);
    expect(view.headsBeyond.map((head) => head.writer).sort()).toEqual([first, second].sort());
  });
});

describe('a fork whose other side a checkpoint covers', () => {
  it('is told, and both sides stay heads, also in the next checkpoint', async () => {
    const writer = writerOf(1);
    const chain = Array.from({ length: 90 }, (_, at) => writer.write(snapshot(`s${String(at + 1)}`)));
    const late = encodeEntry({
      keys: testKeys,
      seed: sha256(utf8('writer 1')),
      sequence: 81,
      previous: chain[79]?.head.id ?? null,
      body: { ...snapshot('late'), timeMs: 1, base: { checkpoint: null, heads: [] }, siblings: [] },
      random: systemRandom,
    });
    const storage = await stored(chain);
    await writeCheckpoint(storage, foldJournal(await journalOf(storage), rules));
    await storage.put(late.name, late.bytes);
    const view = foldJournal(await journalOf(storage), rules);
    const sequences = (each: View): number[] => each.heads.map((head) => head.sequence).sort((a, b) => a - b);
    expect(view.snapshots.size).toBe(91);
    expect(view.forked).toEqual(new Set([writer.id]));
    expect(sequences(view)).toEqual([81, 90]);

    await writeCheckpoint(storage, view);
    const again = await journalOf(storage);
    expect(again.entries).toEqual([]);
    expect(sequences(foldJournal(again, rules))).toEqual([81, 90]);
  });
});
