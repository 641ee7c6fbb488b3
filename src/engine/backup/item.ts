/** One PBS snapshot on its way through a run. */
import type { RunId, SnapshotId } from '../../core/ids.ts';
import type { Hole, SnapshotRecord } from '../format/snapshot.ts';
import { formatTime, type SnapshotName } from '../pbs/layout.ts';
import type { PbsItem } from '../sources/pbs.ts';
import type { BadChunks } from './bad-chunks.ts';
import type { ReadItem } from './item-reader.ts';
import type { ParentSnapshot } from './parent.ts';
import type { SourceItem } from './selection.ts';
import type { TargetRun } from './target-run.ts';

/** An item that at least one target shall get. */
export interface PlannedItem extends SourceItem {
  readonly name: SnapshotName;
  readonly targets: readonly TargetRun[];
  /** Those of the targets that have it already, but perhaps no longer all that it relies on. */
  readonly mends: ReadonlyMap<TargetRun, SnapshotId>;
  /** The snapshot nearest in time that all its targets have and the source still shows. */
  readonly parent?: ParentSnapshot | undefined;
}

/** A planned item whose files were read; its chunks are with the workers. */
export interface DraftItem {
  readonly planned: PlannedItem;
  readonly opened: PbsItem;
  readonly read: ReadItem;
  readonly startedMs: number;
  readonly endedMs: number;
}

export interface RecordContext {
  readonly run: RunId;
  readonly backup: string;
  readonly device: string;
  /** Of the source, 16 bytes. */
  readonly identity: Uint8Array;
  readonly datastoreName: string;
}

/** `ns/a/b/vm/100/2024-06-05T14:24:36Z`: as people and the command line name it. */
export function itemLabel(name: SnapshotName): string {
  const namespace = name.namespace === '' ? '' : `ns/${name.namespace}/`;
  return `${namespace}${name.type}/${name.id}/${formatTime(name.timeSeconds)}`;
}

export function recordOf(draft: DraftItem, holes: readonly Hole[], context: RecordContext): SnapshotRecord {
  const { planned, opened, read, startedMs, endedMs } = draft;
  const { name, group, item, timeMs } = planned;
  return {
    format: 1,
    run: context.run,
    backup: context.backup,
    device: context.device,
    group,
    item,
    timeMs,
    startedMs,
    endedMs,
    source: {
      type: 'pbs',
      identity: context.identity,
      datastore: context.datastoreName,
      namespace: name.namespace,
      backupType: name.type,
      backupId: name.id,
      backupTime: name.timeSeconds,
      owner: opened.group.owner ?? null,
      groupNotes: opened.group.notes ?? null,
      protected: opened.snapshot.protected,
      files: read.files,
      holes,
    },
  };
}

/** The chunks of the item that this target misses and that are bad, in the order of its files. */
export function holesOf(draft: DraftItem, bad: BadChunks, target: TargetRun): Hole[] {
  return draft.read.indexes.flatMap(({ name, index, assurance }) =>
    bad.placesIn(index, assurance, target.number).map(({ problem, ...place }) => ({
      file: name,
      ...place,
      reason: `${problem.kind}: ${problem.detail}`.slice(0, 1000),
    })),
  );
}
