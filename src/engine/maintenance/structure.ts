import { messageOf } from '../../core/errors.ts';
import type { PackId } from '../../core/ids.ts';
import { packName, parseObjectName, segmentName } from '../format/names.ts';
import { isLoss } from '../repository/loss.ts';
import type { OpenRepository } from '../repository/open-repository.ts';
import type { CheckProblem } from './report.ts';

/** What index segments and a complete listing say about packs. */
export interface Structure {
  /** Packs that segments list and the store shows whole, with their size in bytes. */
  readonly packs: ReadonlyMap<PackId, number>;
  readonly blobs: number;
  readonly unlisted: number;
  /** Packs that segments list and that are gone or have another length. */
  readonly lostPacks: readonly PackId[];
  readonly problems: readonly CheckProblem[];
}

/** Every segment that the journal names, compared with a listing that is taken after it. @throws StorageError */
export async function readStructure(repository: OpenRepository, signal?: AbortSignal): Promise<Structure> {
  const problems: CheckProblem[] = [];
  const listed = new Map<PackId, { readonly sizeBytes: number; readonly blobs: number }>();
  for (const segment of repository.view.segments) {
    try {
      for (const pack of await repository.readSegment(segment, signal)) {
        listed.set(pack.id, { sizeBytes: pack.sizeBytes, blobs: pack.entries.length });
      }
    } catch (error) {
      if (!isLoss(error)) throw error;
      problems.push({ kind: 'segment', subject: segmentName(segment), detail: messageOf(error) });
    }
  }
  const stored = new Map<PackId, number>();
  for await (const { name, sizeBytes } of repository.storage.list('packs/', { signal })) {
    const object = parseObjectName(name);
    if (object?.type === 'pack') stored.set(object.id, sizeBytes);
  }
  const packs = new Map<PackId, number>();
  const lostPacks: PackId[] = [];
  let blobs = 0;
  for (const [id, { sizeBytes, blobs: count }] of listed) {
    const found = stored.get(id);
    if (found === sizeBytes) {
      packs.set(id, sizeBytes);
      blobs += count;
      continue;
    }
    lostPacks.push(id);
    const detail = found === undefined ? 'missing' : `${String(found)} bytes long instead of ${String(sizeBytes)}`;
    problems.push({ kind: 'pack', subject: packName(id), detail });
  }
  const unlisted = [...stored.keys()].filter((id) => !listed.has(id)).length;
  return { packs, blobs, unlisted, lostPacks, problems };
}
