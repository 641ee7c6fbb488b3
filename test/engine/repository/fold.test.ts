import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkpointId, digest, packId, runId, segmentId } from '../../../src/core/ids.ts';
import { utf8 } from '../../../src/core/bytes.ts';
import { sha256, sha256Hex } from '../../../src/engine/crypto/sha256.ts';
import { stateOf } from '../../../src/engine/repository/checkpointing.ts';
import { findRollbacks, foldJournal, type View } from '../../../src/engine/repository/fold.ts';
import { readJournal, type Journal } from '../../../src/engine/repository/journal.ts';
import { MemoryStorage } from '../../../src/engine/storage/memory.ts';
import { ChainWriter, listingOf, writerOf, type WrittenEntry } from '../../support/journal.ts';
import { owner, ownerSeed, testKeys } from '../../support/repository.ts';

const rules = { owner, knownFeatures: new Set(['known']) };
const run = runId('12'.repeat(16));
const snapshot = (name: string) => ({ kind: 'snapshot', run, snapshots: [listingOf(name)], segments: [] }) as const;

async function stored(entries: readonly WrittenEntry[]): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  for (const { name, bytes } of entries) await storage.put(name, bytes);
  return storage;
}

async function journalOf(entries: readonly WrittenEntry[]): Promise<Journal> {
  return readJournal({ storage: await stored(entries), keys: testKeys }, new Map());
}

async function viewOf(...entries: readonly WrittenEntry[]): Promise<View> {
  return foldJournal(await journalOf(entries), rules);
}

const items = (view: View): string[] => [...view.snapshots.values()].map((each) => each.item).sort();

describe('reading and folding the journal', () => {
  it('counts both entries of a fork and tells it', async () => {
    const writer = writerOf(1);
    const first = writer.write(snapshot('a'));
    const clone = writer.clone();
    const view = await viewOf(first, writer.write(snapshot('b')), clone.write(snapshot('c')));
    expect(items(view)).toEqual(['a', 'b', 'c']);
    expect(view.forked).toEqual(new Set([writer.id]));
    expect(view.headsBeyond).toHaveLength(2);
    expect(view.closed).toBe(true);
  });

  it('tells a hole in a chain, and a head that somebody saw and that is gone', async () => {
    const [one, two] = [writerOf(1), writerOf(2)];
    const first = one.write(snapshot('a'));
    const second = one.write(snapshot('b'));
    const other = two.write(snapshot('c'), [second.head]);
    const hole = await viewOf(second, other);
    expect(hole.warnings).toEqual([{ kind: 'gap', writer: one.id, sequence: 1 }]);
    const gone = await viewOf(first, other);
    expect(gone.warnings).toEqual([{ kind: 'gap', writer: one.id, sequence: 2 }]);
    expect(gone.closed).toBe(false);
    expect(items(gone)).toEqual(['a', 'c']);
  });

  it('reports damaged and foreign objects and reads the rest', async () => {
    const good = writerOf(1).write(snapshot('a'));
    const storage = await stored([good]);
    const bad = writerOf(2).write(snapshot('b'));
    await storage.put(bad.name, good.bytes);
    const junk = utf8('{"not":"an entry"}');
    await storage.put(`journal/${'0'.repeat(64)}/${'0'.repeat(15)}1.${sha256Hex(junk)}`, junk);
    const journal = await readJournal({ storage, keys: testKeys }, new Map());
    expect(journal.entries).toHaveLength(1);
    expect(journal.warnings.map((warning) => warning.kind).sort()).toEqual(['damaged', 'foreign']);
  });

  it('lets only the owner, and whom it grants, change features and roles', async () => {
    const [stranger, granted] = [writerOf(1), writerOf(2)];
    const ownerChain = new ChainWriter(ownerSeed);
    const features = { kind: 'features', read: ['strange'], write: [], maintain: [] } as const;
    const ignored = await viewOf(stranger.write(features));
    expect(ignored.refused.size).toBe(0);
    expect(ignored.warnings).toMatchObject([{ kind: 'ignored' }]);

    const grant = ownerChain.write({ kind: 'roles', grants: [{ writer: granted.id, role: 'maintain' }], revokes: [] });
    const accepted = await viewOf(grant, granted.write(features, [grant.head]));
    expect(accepted.refused).toEqual(new Set(['read']));
    const revoke = ownerChain.write({ kind: 'roles', grants: [], revokes: [{ writer: granted.id, role: 'maintain' }] });
    const late = await viewOf(grant, revoke, granted.write(features, [revoke.head]));
    expect(late.warnings.some((warning) => warning.kind === 'ignored')).toBe(true);
  });

  it('orders amendments by what their writers had seen, whatever their clocks say', async () => {
    const [one, two] = [writerOf(1), writerOf(2)];
    const commit = one.write(snapshot('a'), [], 1000);
    const listing = listingOf('a');
    const change = (name: string) =>
      ({
        kind: 'amend',
        run,
        changes: [{ id: listing.id, record: { digest: digest(sha256(utf8(name))), length: 1 } }],
        segments: [],
      }) as const;
    const first = two.write(change('first'), [commit.head], 9_000_000);
    const second = one.write(change('second'), [first.head], 5);
    const view = await viewOf(second, first, commit);
    expect(view.snapshots.get(listing.id)?.record.digest).toEqual(digest(sha256(utf8('second'))));
  });

  it('finds what memory knows and the store does not show', async () => {
    const writer = writerOf(1);
    const entries = [writer.write(snapshot('a')), writer.write(snapshot('b'))];
    const remembered = new Map(entries.map(({ head }) => [head.writer, head]));
    expect(findRollbacks(await journalOf(entries), remembered)).toEqual([]);
    expect(findRollbacks(await journalOf(entries.slice(0, 1)), remembered)).toEqual([
      { kind: 'rollback', writer: writer.id, remembered: 2, found: 1 },
    ]);
  });

  it('keeps damaged packs and open runs, and ends a run with its commit', async () => {
    const writer = writerOf(1);
    const pack = packId('1'.repeat(64));
    const segment = segmentId('2'.repeat(64));
    const progress = writer.write({ kind: 'progress', run, segments: [segment] });
    const damaged = writer.write({ kind: 'damaged', packs: [pack], blobs: [] });
    const open = await viewOf(progress, damaged);
    expect([...open.runs.keys()]).toEqual([run]);
    expect(open.damaged).toEqual(new Set([pack]));
    const ended = await viewOf(progress, damaged, writer.write(snapshot('a')));
    expect(ended.runs.size).toBe(0);
    expect(ended.segments).toEqual(new Set([segment]));
  });
});

/** Histories of a few writers that see each other's heads now and then. */
const histories = fc
  .array(fc.record({ writer: fc.nat(2), sees: fc.boolean(), forks: fc.boolean(), amend: fc.boolean() }), {
    minLength: 1,
    maxLength: 14,
  })
  .map((steps) => {
    const writers = [writerOf(0), writerOf(1), writerOf(2)];
    const written: WrittenEntry[] = [];
    steps.forEach(({ writer: number, sees, forks, amend }, index) => {
      const writer = (forks ? writers[number]?.clone() : writers[number]) ?? writerOf(9);
      const heads = sees ? written.slice(-3).map((each) => each.head) : [];
      const earlier = written.findIndex((each) => each.entry.body.kind === 'snapshot');
      const target = earlier >= 0 && amend ? listingOf(String(earlier)) : undefined;
      const record = { digest: digest(sha256(utf8(`amended ${String(index)}`))), length: 3 };
      written.push(
        target
          ? writer.write({ kind: 'amend', run, changes: [{ id: target.id, record }], segments: [] }, heads, 100 - index)
          : writer.write(snapshot(String(index)), heads, 100 - index),
      );
    });
    return written;
  });

describe('properties of the fold', () => {
  it('does not depend on the order in which entries were found', () => {
    fc.assert(
      fc.property(histories, fc.infiniteStream(fc.nat()), (written, picks) => {
        const shuffled = [...written].map((each) => ({ each, key: picks.next().value ?? 0 }));
        shuffled.sort((a, b) => a.key - b.key);
        const journal = (entries: readonly WrittenEntry[]): Journal => ({
          checkpoint: undefined,
          entries: entries.map(({ entry }) => entry),
          warnings: [],
          closed: true,
        });
        const a = foldJournal(journal(written), rules);
        const b = foldJournal(journal(shuffled.map(({ each }) => each)), rules);
        expect(new Map(b.snapshots)).toEqual(new Map(a.snapshots));
      }),
      { numRuns: 40 },
    );
  });

  it('loses no snapshot by folding any prefix into a checkpoint, even one that misses a fork', () => {
    fc.assert(
      fc.property(histories, fc.nat(14), (written, cut) => {
        const fold = (entries: readonly WrittenEntry[], checkpoint?: Journal['checkpoint']): View =>
          foldJournal({ checkpoint, entries: entries.map(({ entry }) => entry), warnings: [], closed: true }, rules);
        const whole = fold(written);
        const at = Math.min(cut, written.length);
        const state = stateOf(fold(written.slice(0, at)), 0);
        const resumed = fold(written.slice(at), { id: checkpointId('3'.repeat(64)), state });
        expect([...resumed.snapshots.keys()].sort()).toEqual([...whole.snapshots.keys()].sort());
        expect(resumed.coveredEntries + resumed.beyond.length).toBe(written.length);
        expect(new Set(resumed.recent.map((head) => head.id))).toEqual(new Set(whole.recent.map((head) => head.id)));
      }),
      { numRuns: 40 },
    );
  });
});
