import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../src/core/bytes.ts';
import { CancelledError } from '../../../src/core/errors.ts';
import { blobId, repositoryId, type BlobId } from '../../../src/core/ids.ts';
import { BackupPool, type BackupPoolOptions, type BatchOutcome } from '../../../src/engine/compute/backup-pool.ts';
import { BatchBuilder } from '../../../src/engine/compute/chunk-batch.ts';
import type { SealedPack } from '../../../src/engine/compute/compute.ts';
import { packCost } from '../../../src/engine/compute/open-packs.ts';
import { loadBlake3 } from '../../../src/engine/crypto/blake3.ts';
import { loadZstd } from '../../../src/engine/compression/zstd.ts';
import { RepositoryKeys } from '../../../src/engine/format/keys.ts';
import { openBlob } from '../../../src/engine/format/blob.ts';
import { readPackDirectory } from '../../../src/engine/format/pack-directory.ts';
import { encodeBlob } from '../../../src/engine/pbs/data-blob.ts';
import { chunkPath } from '../../../src/engine/pbs/layout.ts';

interface Chunk {
  readonly digest: Uint8Array;
  readonly data: Uint8Array;
}

let datastore: string;
let pool: BackupPool | undefined;

beforeAll(async () => {
  await Promise.all([loadBlake3(), loadZstd()]);
});
beforeEach(() => {
  datastore = mkdtempSync(join(tmpdir(), 'nestegg-pool-'));
});
afterEach(async () => {
  await pool?.close();
  pool = undefined;
  rmSync(datastore, { recursive: true, force: true });
});

const keys = [1, 2].map((number) => ({
  id: repositoryId(String(number).repeat(32)),
  roots: [new Uint8Array(32).fill(number)],
}));

function writeChunk(number: number, bytes = 20_000): Chunk {
  const data = new Uint8Array(createHash('sha256').update(`chunk ${number}`).digest());
  const full = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 32) full.set(data.subarray(0, Math.min(32, bytes - at)), at);
  full[0] = number & 255;
  full[1] = number >> 8;
  const digest = new Uint8Array(createHash('sha256').update(full).digest());
  const path = join(datastore, chunkPath(digest));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, encodeBlob(full));
  return { digest, data: full };
}

/** A stand-in for the id of a chunk in a repository: the pool treats ids as opaque. */
function idOf(chunk: Chunk, repository: number): BlobId {
  return blobId(new Uint8Array(createHash('sha256').update(chunk.digest).update(String(repository)).digest()));
}

interface Run {
  readonly pool: BackupPool;
  readonly packs: SealedPack[][];
  readonly outcomes: BatchOutcome[];
}

function start(options: Partial<BackupPoolOptions> = {}): Run {
  const packs: SealedPack[][] = [[], []];
  const outcomes: BatchOutcome[] = [];
  const started = new BackupPool({
    datastore,
    repositories: keys.map(({ id, roots }) => ({
      keys: { repositoryId: id, roots },
      packBytes: 256 * 1024,
      slabBytes: undefined,
    })),
    threads: 2,
    budgetBytes: 192 * 2 ** 20,
    onPack: async (repository, pack) => {
      packs[repository]?.push(pack);
    },
    onBatch: (outcome) => outcomes.push(outcome),
    ...options,
  });
  pool = started;
  return { pool: started, packs, outcomes };
}

async function submit(run: Run, chunks: readonly Chunk[], missing: (at: number) => readonly number[]): Promise<void> {
  let builder = new BatchBuilder({ cryptMode: 'none', verify: 'digest' }, 2, 16);
  for (const [at, chunk] of chunks.entries()) {
    const wanted = missing(at);
    builder.add(
      chunk.digest,
      chunk.data.byteLength,
      [0, 1].map((repository) => (wanted.includes(repository) ? idOf(chunk, repository) : undefined)),
    );
    if (builder.isFull) {
      await run.pool.submit(builder.finish());
      builder = new BatchBuilder({ cryptMode: 'none', verify: 'digest' }, 2, 16);
    }
  }
  if (builder.count > 0) await run.pool.submit(builder.finish());
}

/** Contents by blob id, from the packs alone. @throws when a blob is stored twice. */
function contents(repository: number, packs: readonly SealedPack[]): Map<string, Buffer> {
  const key = keys[repository];
  if (!key) throw new RangeError('no such repository');
  const repositoryKeys = RepositoryKeys.derive(key.id, key.roots);
  const found = new Map<string, Buffer>();
  for (const pack of packs) {
    const { epoch, entries } = readPackDirectory(repositoryKeys, pack.bytes);
    expect(pack.entries).toEqual(entries);
    expect(createHash('sha256').update(pack.bytes).digest('hex')).toBe(pack.id);
    for (const entry of entries) {
      const sealed = pack.bytes.subarray(entry.offset, entry.offset + entry.sealedLength);
      expect(found.has(toHex(entry.id)), 'a blob is stored once').toBe(false);
      found.set(toHex(entry.id), Buffer.from(openBlob(repositoryKeys, epoch, entry, sealed)));
    }
  }
  return found;
}

describe('the backup pool', () => {
  it.each([1, 2, 3])('stores each chunk once in every repository that misses it, with %i threads', async (threads) => {
    const chunks = Array.from({ length: 60 }, (_, number) => writeChunk(number));
    const run = start({ threads });
    const missing = (at: number): number[] => (at % 3 === 0 ? [0] : at % 3 === 1 ? [1] : [0, 1]);
    await submit(run, chunks, missing);
    await run.pool.flush();
    for (const repository of [0, 1]) {
      const stored = contents(repository, run.packs[repository] ?? []);
      const wanted = chunks.filter((_, at) => missing(at).includes(repository));
      expect(stored.size).toBe(wanted.length);
      for (const chunk of wanted) {
        expect(stored.get(toHex(idOf(chunk, repository)))?.equals(encodeBlob(chunk.data))).toBe(true);
      }
    }
    expect(run.outcomes.reduce((sum, outcome) => sum + outcome.chunks, 0)).toBe(60);
    expect(run.outcomes.reduce((sum, outcome) => sum + outcome.dataBytes, 0)).toBe(60 * 20_000);
  });

  it('merges what the threads have left over into one pack', async () => {
    const run = start({ threads: 3 });
    await submit(
      run,
      Array.from({ length: 6 }, (_, number) => writeChunk(number, 3000)),
      () => [0, 1],
    );
    await run.pool.flush();
    expect(run.packs.map((packs) => packs.length)).toEqual([1, 1]);
    expect(contents(0, run.packs[0] ?? []).size).toBe(6);
  });

  it('can be filled again after a flush', async () => {
    const run = start();
    await submit(run, [writeChunk(1)], () => [0]);
    await run.pool.flush();
    await submit(run, [writeChunk(2)], () => [0]);
    await run.pool.flush();
    await run.pool.flush();
    expect(contents(0, run.packs[0] ?? []).size).toBe(2);
    expect(run.packs[1]).toEqual([]);
  });

  it('names bad chunks and stores the others', async () => {
    const good = writeChunk(1);
    const corrupt = writeChunk(2);
    const blob = encodeBlob(corrupt.data);
    blob[100] = (blob[100] ?? 0) ^ 1;
    writeFileSync(join(datastore, chunkPath(corrupt.digest)), blob);
    const absent: Chunk = { digest: new Uint8Array(32).fill(9), data: new Uint8Array(5) };
    const run = start();
    await submit(run, [good, corrupt, absent], (at) => (at === 1 ? [1] : [0, 1]));
    await run.pool.flush();
    const bad = run.outcomes.flatMap((outcome) => outcome.bad);
    expect(bad.map(({ digest, missing, problem }) => [toHex(digest), missing, problem.kind]).sort()).toEqual(
      [
        [toHex(corrupt.digest), 0b10, 'wrong-crc'],
        [toHex(absent.digest), 0b11, 'missing'],
      ].sort(),
    );
    expect(bad.find(({ missing }) => missing === 0b10)?.ids[1]).toEqual(idOf(corrupt, 1));
    expect(contents(0, run.packs[0] ?? []).size).toBe(1);
  });

  it('holds no more packs than the budget allows, and goes on when one was uploaded', async () => {
    const gates: (() => void)[] = [];
    let held = 0;
    let most = 0;
    const cost = packCost(256 * 1024);
    const run = start({
      threads: 2,
      budgetBytes: 5 * cost,
      onPack: async () => {
        held += 1;
        most = Math.max(most, held);
        await new Promise<void>((resolve) => gates.push(resolve));
        held -= 1;
      },
    });
    const work = submit(
      run,
      Array.from({ length: 200 }, (_, number) => writeChunk(number)),
      () => [0, 1],
    ).then(() => run.pool.flush());
    const state = { over: false };
    void work.finally(() => (state.over = true));
    while (!state.over) {
      gates.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await work;
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(5);
  });

  it('goes on without a repository that was dropped while its uploads hang', async () => {
    let reached: () => void = () => undefined;
    const hanging = new Promise<void>((resolve) => (reached = resolve));
    let release: () => void = () => undefined;
    const packs: SealedPack[] = [];
    const run = start({
      budgetBytes: 5 * packCost(256 * 1024),
      onPack: (repository, pack) => {
        if (repository === 0) {
          packs.push(pack);
          return Promise.resolve();
        }
        reached();
        return new Promise<void>((resolve) => (release = resolve));
      },
    });
    const work = submit(
      run,
      Array.from({ length: 200 }, (_, number) => writeChunk(number)),
      () => [0, 1],
    );
    await hanging;
    run.pool.drop(1);
    await work;
    await run.pool.drain();
    release();
    await run.pool.flush();
    expect(contents(0, packs).size).toBe(200);
  });

  it('fails everybody who waits when a thread breaks', async () => {
    const broken = start({
      repositories: [
        { keys: { repositoryId: repositoryId('1'.repeat(32)), roots: [] }, packBytes: 65536, slabBytes: undefined },
      ],
    });
    await expect(broken.pool.flush()).rejects.toThrow('a worker thread failed');
    await expect(broken.pool.drain()).rejects.toThrow('a worker thread failed');
  });

  it('ends at once when it is aborted, even while a worker waits for credit', async () => {
    const controller = new AbortController();
    let reached: () => void = () => undefined;
    const hanging = new Promise<void>((resolve) => (reached = resolve));
    const run = start({
      signal: controller.signal,
      budgetBytes: 4 * packCost(256 * 1024),
      onPack: () => {
        reached();
        return new Promise<void>(() => undefined);
      },
    });
    const work = submit(
      run,
      Array.from({ length: 200 }, (_, number) => writeChunk(number)),
      () => [0, 1],
    ).then(() => run.pool.flush());
    const ended = expect(work).rejects.toBeInstanceOf(CancelledError);
    await hanging;
    controller.abort();
    await ended;
    await run.pool.close();
  });
});
