/**
 * A worker thread of a backup. For every chunk of a batch: one read through one descriptor into one buffer, the checks of
 * the batch's rule, and that same buffer sealed into an open pack of every repository that misses it.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { NesteggError } from '../../core/errors.ts';
import { systemRandom } from '../../core/random.ts';
import { loadZstd } from '../compression/zstd.ts';
import { loadBlake3 } from '../crypto/blake3.ts';
import { RepositoryKeys } from '../format/keys.ts';
import type { BuiltPack } from '../format/pack.ts';
import { readChunkFile } from '../pbs/chunk-reader.ts';
import { maxChunkFileBytes } from '../pbs/data-blob.ts';
import { chunkPath } from '../pbs/layout.ts';
import { batchDigest, batchId } from './chunk-batch.ts';
import type { ChunkBatch } from './compute.ts';
import { columnBuffers, fromColumns, ownBuffer, toColumns, wholeBuffer } from './entry-columns.ts';
import type { BackupWorkerData, BadPosition, FromBackupWorker, PackMessage, ToBackupWorker } from './messages.ts';
import { OpenPacks } from './open-packs.ts';
import { PackCredit } from './pack-credit.ts';

const port = parentPort;
if (!port) throw new NesteggError('internal', 'the backup worker was started outside of a worker thread');

await Promise.all([loadBlake3(), loadZstd()]);
const data = workerData as BackupWorkerData;
const credit = PackCredit.view(data.credit);
const scratch = new Uint8Array(maxChunkFileBytes);
const openPacks = data.repositories.map(
  (repository, number) =>
    new OpenPacks({
      repository: number,
      keys: RepositoryKeys.import(repository.keys),
      packBytes: repository.packBytes,
      slabBytes: repository.slabBytes,
      openPacks: data.openPacks,
      credit,
      random: systemRandom,
      ship: (pack) => ship(number, pack),
    }),
);

function send(message: FromBackupWorker, transfer: readonly ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

function toMessage(repository: number, pack: BuiltPack): PackMessage {
  return { repository, id: pack.id, epoch: pack.epoch, bytes: pack.bytes, entries: toColumns(pack.entries) };
}

function buffersOf(pack: PackMessage): ArrayBuffer[] {
  return [ownBuffer(pack.bytes), ...columnBuffers(pack.entries)];
}

function ship(repository: number, pack: BuiltPack): void {
  const message = toMessage(repository, pack);
  send({ type: 'pack', ...message }, buffersOf(message));
}

/** Positions of the batch by inode, the order in which they tend to lie on the disk; what cannot be looked up goes last. */
function diskOrder(batch: ChunkBatch): Uint32Array {
  const order = Uint32Array.from({ length: batch.count }, (_, at) => at);
  const inodes = Float64Array.from(order, (at) => {
    const path = join(data.datastore, chunkPath(batchDigest(batch, at)));
    try {
      return statSync(path).ino;
    } catch {
      return Number.MAX_VALUE; // the read that follows says why
    }
  });
  return order.sort((a, b) => (inodes[a] ?? 0) - (inodes[b] ?? 0));
}

function work(number: number, batch: ChunkBatch): void {
  const bad: BadPosition[] = [];
  let readBytes = 0;
  for (const at of diskOrder(batch)) {
    if (credit.isStopped()) return;
    const digest = batchDigest(batch, at);
    const path = join(data.datastore, chunkPath(digest));
    const reading = readChunkFile(path, { ...batch.rule, digest, length: batch.lengths[at] ?? 0 }, scratch);
    if (reading.outcome === 'bad') {
      bad.push({ at, problem: reading.problem });
      continue;
    }
    readBytes += reading.blob.byteLength;
    const missing = batch.missing[at] ?? 0;
    openPacks.forEach((packs, repository) => {
      if ((missing & (1 << repository)) !== 0) packs.add(batchId(batch, at, repository), reading.blob);
    });
  }
  const buffers = [batch.digests, batch.lengths, batch.missing, batch.ids].map(wholeBuffer);
  send({ type: 'batch-done', number, batch, readBytes, bad }, buffers);
}

/** Leftovers of other workers that did not fit here; they leave with this worker's own. */
const guests: PackMessage[] = [];

function yieldLeftovers(): void {
  const own = openPacks.flatMap((open, repository) => open.takeLeftovers().map((pack) => toMessage(repository, pack)));
  const packs = [...guests.splice(0), ...own];
  send({ type: 'yielded', packs }, packs.flatMap(buffersOf));
}

function absorb(packs: readonly PackMessage[]): void {
  for (const pack of packs) {
    const absorbed = openPacks[pack.repository]?.absorb({ ...pack, entries: fromColumns(pack.entries) });
    if (absorbed !== true) guests.push(pack);
  }
}

port.on('message', (message: ToBackupWorker) => {
  switch (message.type) {
    case 'batch':
      work(message.number, message.batch);
      break;
    case 'yield':
      yieldLeftovers();
      break;
    case 'absorb':
      absorb(message.packs);
      break;
    case 'end':
      port.close();
      break;
  }
});
