import { concatBytes, toHex } from '../../../src/core/bytes.ts';
import {
  blobId,
  checkpointId,
  entryId,
  packId,
  repositoryId,
  segmentId,
  snapshotId,
  writerId,
} from '../../../src/core/ids.ts';
import type { CheckpointState } from '../../../src/engine/format/checkpoint.ts';
import type { KnownBody } from '../../../src/engine/format/entry-body.ts';
import type { IndexedPack } from '../../../src/engine/format/index-segment.ts';
import { PackBuilder, type BuiltPack } from '../../../src/engine/format/pack.ts';
import type { SnapshotListing } from '../../../src/engine/format/shapes.ts';
import type { SnapshotRecord } from '../../../src/engine/format/snapshot.ts';
import { counting, fixedKeys, run, seededRandom, someDigest } from './fixtures.ts';

/** One of everything, the same in every process. */
const hex64 = (start: number): string => toHex(counting(32, start));

export const listing: SnapshotListing = {
  id: snapshotId(hex64(9).slice(0, 32)),
  record: { digest: someDigest(9), length: 1234 },
  backup: 'datacenter',
  group: 'a/b|vm/100',
  item: '1700000000',
  timeMs: 1_700_000_000_000,
  sizeBytes: 34_359_738_368,
  damaged: false,
};

const head = { writer: writerId(hex64(1)), sequence: 7, id: entryId(hex64(2)) };
const common = {
  timeMs: 1_700_000_123_456,
  base: { checkpoint: checkpointId(hex64(3)), heads: [head] },
  siblings: [{ repository: repositoryId('ff'.repeat(16)), heads: [head] }],
};
const segments = [segmentId(hex64(4))];
const damagedBlob = { pack: packId(hex64(5)), blob: blobId(counting(32, 6)) };
const grant = { writer: writerId(hex64(8)), role: 'maintain' } as const;

export const bodies: { readonly [Kind in KnownBody['kind']]: Extract<KnownBody, { readonly kind: Kind }> } = {
  snapshot: { ...common, kind: 'snapshot', run, snapshots: [listing], segments },
  amend: { ...common, kind: 'amend', run, changes: [{ id: listing.id, record: listing.record }], segments },
  progress: { ...common, kind: 'progress', run, segments, base: { checkpoint: null, heads: [] }, siblings: [] },
  mend: { ...common, kind: 'mend', run, snapshots: [listing.id], segments: [] },
  damaged: { ...common, kind: 'damaged', packs: [packId(hex64(7))], blobs: [damagedBlob] },
  features: { ...common, kind: 'features', read: ['a'], write: [], maintain: ['b', 'c'] },
  roles: { ...common, kind: 'roles', grants: [grant], revokes: [] },
};

export const state: CheckpointState = {
  entries: 4711,
  extends: null,
  heads: [head],
  recent: [head, { ...head, sequence: 6 }],
  snapshots: [{ ...listing, run, writer: head.writer, committedMs: 1_700_000_200_000, recordedMs: 1_700_000_300_000 }],
  segments,
  progress: [{ run, writer: head.writer, timeMs: 1_700_000_400_000, segments }],
  unproven: [listing.id],
  damaged: { packs: [packId(hex64(7))], blobs: [damagedBlob] },
  features: { read: [], write: ['x'], maintain: [] },
  grants: [grant],
  timeMs: 1_700_000_500_000,
};

export const record: SnapshotRecord = {
  format: 1,
  run,
  backup: 'datacenter',
  device: 'pbs1',
  group: 'a/b|vm/100',
  item: '1700000000',
  timeMs: 1_700_000_000_000,
  startedMs: 1_700_000_100_000,
  endedMs: 1_700_000_200_000,
  source: {
    type: 'pbs',
    identity: counting(16, 0x20),
    datastore: 'main',
    namespace: 'a/b',
    backupType: 'vm',
    backupId: '100',
    backupTime: 1_700_000_000,
    owner: 'root@pam',
    groupNotes: 'naïve "quotes"\n\u0001 🥚',
    protected: true,
    files: [
      { kind: 'blob', name: 'index.json.blob', size: 500, data: [{ digest: someDigest(1), length: 500 }] },
      {
        kind: 'fixed',
        name: 'drive-scsi0.img.fidx',
        header: counting(90, 0x2f),
        size: 8_389_608,
        chunkSize: 4_194_304,
        chunks: 3,
        list: { digest: someDigest(2), length: 104 },
        assurance: 'plain',
        extra: new Uint8Array(0),
      },
      {
        kind: 'dynamic',
        name: 'root.pxar.didx',
        header: counting(3, 1),
        size: 77,
        chunks: 1,
        list: { digest: someDigest(3), length: 44 },
        assurance: 'keyed',
        extra: counting(32, 0x60),
      },
    ],
    holes: [
      {
        file: 'drive-scsi0.img.fidx',
        index: 1,
        position: 4_194_304,
        length: 4_194_304,
        digest: counting(32, 0x70),
        reason: 'CRC',
      },
    ],
  },
};

/** Three blobs with content; the contents are in `contents`, in order. */
export const contents = [counting(300), concatBytes(counting(10), new Uint8Array(500)), new Uint8Array(0)] as const;

export function samplePack(random = seededRandom('pack'), slabBytes?: number): BuiltPack {
  const keys = fixedKeys();
  const builder = new PackBuilder({ keys, capacityBytes: 4096, slabBytes, random });
  const [data, chunk, tree] = contents;
  const id = (start: number): ReturnType<typeof blobId> => blobId(counting(32, start));
  builder.add('data', id(1), 0, data, data.byteLength);
  builder.add('pbs-chunk', id(2), 0, chunk, chunk.byteLength);
  builder.add('tree', id(3), 0, tree, tree.byteLength);
  return builder.finish();
}

export function samplePacks(): readonly IndexedPack[] {
  const pack = samplePack();
  const other = packId(hex64(0x33));
  return [
    { id: pack.id, sizeBytes: pack.bytes.byteLength, epoch: pack.epoch, entries: pack.entries },
    { id: other, sizeBytes: 1024, epoch: 0, entries: [] },
  ];
}
