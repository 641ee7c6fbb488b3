/** What a made-up datastore shall hold. Everything follows from the plan and its seed. */
import type { EncryptionKey } from '../../../src/engine/pbs/keys.ts';

export interface DiskPlan {
  /** `drive-scsi0` */
  readonly name: string;
  readonly sizeBytes: number;
  /** Default 4 MiB. */
  readonly chunkSize?: number;
  /** Share of the chunks that each snapshot after the first changes. */
  readonly changed: number;
  /** `quick`: chunks of 64 KiB that are made and written without hashing and compressing them as a whole. Default `realistic`. */
  readonly content?: 'realistic' | 'quick';
}

interface GroupPlan {
  readonly namespace?: string;
  readonly id: string;
  /** Default `root@pam`. */
  readonly owner?: string;
  readonly notes?: string;
  readonly snapshots: number;
  /** Time of the first snapshot; default 2024-06-01T00:00:00Z. */
  readonly firstSeconds?: number;
  /** Default: a day. */
  readonly everySeconds?: number;
  /** Numbers (from 0) of snapshots that are protected. */
  readonly protectedSnapshots?: readonly number[];
  readonly clientLog?: boolean;
  readonly key?: EncryptionKey;
}

export interface VmPlan extends GroupPlan {
  readonly type: 'vm';
  readonly disks: readonly DiskPlan[];
}

export interface ContainerPlan extends GroupPlan {
  readonly type: 'ct' | 'host';
  readonly archiveBytes: number;
  /** Pieces have a quarter of this to four times this. Default 1 MiB. */
  readonly averageChunkBytes?: number;
  readonly changed: number;
}

export type MachinePlan = VmPlan | ContainerPlan;

export interface DatastorePlan {
  readonly seed: string;
  readonly machines: readonly MachinePlan[];
}

const mebibyte = 1024 * 1024;

/** Two VMs, a container in a namespace, a host and (with a key) an encrypted VM: about 9 × `megabytes` of data before deduplication. */
export function realisticPlan(seed: string, megabytes: number, key?: EncryptionKey): DatastorePlan {
  const disk = { name: 'drive-scsi0', sizeBytes: megabytes * mebibyte + 1000, changed: 0.1 };
  const machines: MachinePlan[] = [
    {
      type: 'vm',
      id: '100',
      notes: 'web server\n',
      snapshots: 3,
      protectedSnapshots: [0],
      clientLog: true,
      disks: [disk],
    },
    {
      type: 'vm',
      id: '101',
      snapshots: 2,
      owner: 'backup@pbs!pve1',
      disks: [
        { ...disk, sizeBytes: (megabytes * mebibyte) / 2 },
        { name: 'drive-efidisk0', sizeBytes: 540_672, changed: 0 },
      ],
    },
    {
      type: 'ct',
      id: '200',
      namespace: 'customers/acme',
      notes: 'mail',
      snapshots: 3,
      archiveBytes: megabytes * mebibyte,
      changed: 0.2,
      clientLog: true,
    },
    { type: 'host', id: 'desk-1', snapshots: 1, archiveBytes: (megabytes * mebibyte) / 4, changed: 0 },
  ];
  if (key)
    machines.push({
      type: 'vm',
      id: '102',
      namespace: 'customers',
      snapshots: 2,
      key,
      disks: [{ ...disk, sizeBytes: 8 * mebibyte }],
    });
  return { seed, machines };
}
