/**
 * A worker thread of a restore. It looks which chunks a datastore has, and turns parts of packs into chunk files: open
 * (authenticates), prove as the assurance says, insert. What does not open or prove is never written.
 */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../core/clock.ts';
import { messageOf, NesteggError } from '../../core/errors.ts';
import { blobId } from '../../core/ids.ts';
import { systemRandom } from '../../core/random.ts';
import { loadZstd } from '../compression/zstd.ts';
import { loadBlake3 } from '../crypto/blake3.ts';
import { RepositoryKeys } from '../format/keys.ts';
import { openBlob } from '../format/blob.ts';
import { checkChunk, readChunkFile, type ChunkExpectation, type ChunkReading } from '../pbs/chunk-reader.ts';
import { maxChunkFileBytes } from '../pbs/data-blob.ts';
import { insertChunk, touchChunk, type ChunkTarget } from '../pbs/datastore-writer/chunk-insert.ts';
import { chunkPath } from '../pbs/layout.ts';
import {
  chunkStates,
  type ChunkColumns,
  type ChunkFailure,
  type ExtractJob,
  type FromRestoreWorker,
  type InspectJob,
  type RestoreWorkerData,
  type ToRestoreWorker,
} from './restore-messages.ts';

const port = parentPort;
if (!port) throw new NesteggError('internal', 'the restore worker was started outside of a worker thread');

await Promise.all([loadBlake3(), loadZstd()]);
const data = workerData as RestoreWorkerData;
const keys = RepositoryKeys.import(data.keys);
const stop = new Int32Array(data.stop);
const target: ChunkTarget = {
  path: data.datastore,
  owner: data.owner,
  clock: systemClock,
  random: systemRandom,
  sync: 'later',
  scratch: new Uint8Array(maxChunkFileBytes),
};

interface Outcome {
  readonly states: Uint8Array;
  readonly failures: ChunkFailure[];
  writtenBytes: number;
}

function expectationOf(chunks: ChunkColumns, at: number): ChunkExpectation {
  const rule = chunks.rules[chunks.ruleOf[at] ?? 0];
  if (!rule) throw new NesteggError('internal', 'a chunk was sent without the rule that it is checked by');
  return { ...rule, digest: chunks.digests.subarray(at * 32, (at + 1) * 32), length: chunks.lengths[at] ?? 0 };
}

function inspect(job: InspectJob, outcome: Outcome, at: number): number {
  const expectation = expectationOf(job.chunks, at);
  const path = join(data.datastore, chunkPath(expectation.digest));
  const reading = readChunkFile(path, expectation, target.scratch);
  if (reading.outcome === 'bad') {
    const { kind, detail } = reading.problem;
    if (kind === 'missing' || kind === 'marked-bad') return chunkStates.absent;
    outcome.failures.push({ at, reason: detail });
    return chunkStates.bad;
  }
  if (job.touch && !touchChunk(path, systemClock)) return chunkStates.absent;
  return chunkStates.present;
}

/** The chunk file from its sealed bytes, authenticated and proven. */
function opened(job: ExtractJob, at: number, expectation: ChunkExpectation): ChunkReading {
  const [offset = 0, sealedLength = 0, plainLength = 0] = job.places.subarray(at * 3, at * 3 + 3);
  const id = blobId(job.blobIds.subarray(at * 32, (at + 1) * 32));
  const path = chunkPath(expectation.digest);
  try {
    const sealed = job.bytes.subarray(offset - job.start, offset - job.start + sealedLength);
    const entry = { kind: 'pbs-chunk', codec: 0, id, offset, sealedLength, plainLength } as const;
    return checkChunk(path, openBlob(keys, job.epoch, entry, sealed), expectation);
  } catch (error) {
    if (!(error instanceof NesteggError)) throw error;
    return { outcome: 'bad', problem: { kind: 'unreadable', path, detail: messageOf(error) } };
  }
}

function extract(job: ExtractJob, outcome: Outcome, at: number): number {
  const expectation = expectationOf(job.chunks, at);
  const reading = opened(job, at, expectation);
  if (reading.outcome === 'bad') {
    outcome.failures.push({ at, reason: reading.problem.detail });
    return chunkStates.unreadable;
  }
  const inserted = insertChunk(target, expectation, reading.blob);
  if (inserted === 'present') return chunkStates.present;
  outcome.writtenBytes += reading.blob.byteLength;
  return chunkStates[inserted];
}

function work(job: InspectJob | ExtractJob): Outcome {
  const outcome: Outcome = { states: new Uint8Array(job.chunks.count), failures: [], writtenBytes: 0 };
  for (let at = 0; at < job.chunks.count && Atomics.load(stop, 0) === 0; at += 1) {
    outcome.states[at] = job.type === 'inspect' ? inspect(job, outcome, at) : extract(job, outcome, at);
  }
  return outcome;
}

function answer(number: number, job: InspectJob | ExtractJob): FromRestoreWorker {
  try {
    return { type: 'answer', number, ...work(job) };
  } catch (error) {
    if (!(error instanceof NesteggError) || error.code !== 'restore.target') throw error;
    return { type: 'error', number, message: error.message, hint: error.hint };
  }
}

port.on('message', (message: ToRestoreWorker) => {
  if ('end' in message) port.close();
  else port.postMessage(answer(message.number, message.job));
});
