import { toHex } from '../../core/bytes.ts';
import { messageOf } from '../../core/errors.ts';
import type { BlobId, SnapshotId } from '../../core/ids.ts';
import type { BlobRef } from '../format/blob.ts';
import { walkList, type ListShape } from '../format/list-tree.ts';
import { pbsChunkDigests } from '../format/pbs-chunk-id.ts';
import type { PbsFile, SnapshotRecord } from '../format/snapshot.ts';
import { IdTable } from '../repository/id-table.ts';
import { isLoss } from '../repository/loss.ts';
import type { OpenRepository } from '../repository/open-repository.ts';
import type { SnapshotSummary } from '../repository/repository.ts';
import type { CheckProblem } from './report.ts';
import type { Structure } from './structure.ts';

type PbsIndexFile = Exclude<PbsFile, { readonly kind: 'blob' }>;

export interface SnapshotsCheck {
  readonly problems: readonly CheckProblem[];
  readonly incomplete: readonly SnapshotId[];
  /** Ids of the chunks whose PBS digest somebody vouched for. */
  readonly plain: IdTable;
}

/** That every blob of every snapshot can be found: records, lists, pieces of files, chunks. */
export async function checkSnapshots(
  repository: OpenRepository,
  structure: Structure,
  progress: (done: number, total: number) => void,
  signal?: AbortSignal,
): Promise<SnapshotsCheck> {
  await repository.loadIndex(signal);
  const walk = new SnapshotWalk(repository, structure, signal);
  const problems: CheckProblem[] = [];
  const incomplete: SnapshotId[] = [];
  const summaries = repository.snapshots();
  for (const [done, summary] of summaries.entries()) {
    progress(done, summaries.length);
    const details = await walk.faultsOf(summary);
    if (details.length > 0) incomplete.push(summary.id);
    problems.push(...details.map((detail): CheckProblem => ({ kind: 'snapshot', subject: summary.id, detail })));
  }
  return { problems, incomplete, plain: walk.plain };
}

class SnapshotWalk {
  readonly plain = new IdTable(1);
  readonly #repository: OpenRepository;
  readonly #structure: Structure;
  readonly #signal: AbortSignal | undefined;
  /** Faults of index files already walked: unchanged files of later snapshots are the same list. */
  readonly #walked = new Map<string, string | undefined>();

  constructor(repository: OpenRepository, structure: Structure, signal: AbortSignal | undefined) {
    this.#repository = repository;
    this.#structure = structure;
    this.#signal = signal;
  }

  async faultsOf(summary: SnapshotSummary): Promise<string[]> {
    let record: SnapshotRecord;
    try {
      record = await this.#repository.readRecord(summary, this.#signal);
    } catch (error) {
      return [`its record cannot be read: ${lossText(error)}`];
    }
    const faults: string[] = [];
    for (const file of record.source.files) {
      const holes = record.source.holes.filter((hole) => hole.file === file.name).map((hole) => hole.index);
      const fault = file.kind === 'blob' ? this.#faultOfPieces(file) : await this.#faultOfIndex(file, new Set(holes));
      if (fault !== undefined) faults.push(`${file.name}: ${fault}`);
    }
    return faults;
  }

  #faultOfPieces(file: Extract<PbsFile, { kind: 'blob' }>): string | undefined {
    const missing = file.data.filter((ref) => !this.#isThere(this.#repository.blobId('data', ref))).length;
    return missing === 0 ? undefined : `${String(missing)} of ${String(file.data.length)} pieces are in no pack`;
  }

  async #faultOfIndex(file: PbsIndexFile, holes: ReadonlySet<number>): Promise<string | undefined> {
    const chunkSize = file.kind === 'fixed' ? file.chunkSize : 0;
    const key = [toHex(file.list.digest), file.size, chunkSize, file.assurance, toHex(file.extra), ...holes].join(' ');
    if (this.#walked.has(key)) return this.#walked.get(key);
    const fault = await this.#walk(file, holes);
    this.#walked.set(key, fault);
    return fault;
  }

  async #walk(file: PbsIndexFile, holes: ReadonlySet<number>): Promise<string | undefined> {
    const shape: ListShape =
      file.kind === 'fixed'
        ? { type: 'fixed', size: file.size, chunkSize: file.chunkSize }
        : { type: 'dynamic', size: file.size };
    const digestOf = pbsChunkDigests(file.assurance, file.extra);
    const fetch = (ref: BlobRef): Promise<Uint8Array> => this.#repository.readContent('list', ref, this.#signal);
    let index = 0;
    let missing = 0;
    let first: number | undefined;
    try {
      for await (const parts of walkList(file.list, shape, fetch)) {
        for (const part of parts) {
          const id = this.#repository.blobId('pbs-chunk', { digest: digestOf(part.digest), length: part.length });
          if (!holes.has(index) && !this.#isThere(id)) {
            missing += 1;
            first ??= index;
          }
          if (file.assurance === 'plain') this.plain.put(id);
          index += 1;
        }
      }
    } catch (error) {
      return `its list of chunks cannot be read: ${lossText(error)}`;
    }
    if (first === undefined) return undefined;
    return `${String(missing)} of ${String(index)} chunks are in no pack, the first is number ${String(first)}`;
  }

  #isThere(id: BlobId): boolean {
    const location = this.#repository.locate(id);
    return location !== undefined && this.#structure.packs.has(location.pack);
  }
}

function lossText(error: unknown): string {
  if (!isLoss(error)) throw error;
  return messageOf(error);
}
