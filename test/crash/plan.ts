import type { DatastorePlan } from '../support/datastore/plan.ts';

const kibibyte = 1024;

/** A VM and a container with two snapshots each, a host in a namespace: few bytes, every kind of file. */
export const crashPlan: DatastorePlan = {
  seed: 'crash',
  machines: [
    {
      type: 'vm',
      id: '100',
      notes: 'web server\n',
      snapshots: 2,
      protectedSnapshots: [0],
      clientLog: true,
      disks: [{ name: 'drive-scsi0', sizeBytes: 8 * 64 * kibibyte - 100, chunkSize: 64 * kibibyte, changed: 0.25 }],
    },
    {
      type: 'ct',
      id: '200',
      owner: 'backup@pbs!pve1',
      snapshots: 2,
      archiveBytes: 200 * kibibyte,
      averageChunkBytes: 32 * kibibyte,
      changed: 0.2,
    },
    {
      type: 'host',
      id: 'desk-1',
      namespace: 'customers/acme',
      snapshots: 1,
      archiveBytes: 100 * kibibyte,
      averageChunkBytes: 32 * kibibyte,
      changed: 0,
    },
  ],
};
