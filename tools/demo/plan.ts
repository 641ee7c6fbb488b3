/** What the datastore of the demo holds: five machines of a small company, backed up every night. */
import { EncryptionKey } from '../../src/engine/pbs/keys.ts';
import type { DatastorePlan, MachinePlan } from '../../test/support/datastore/plan.ts';
import { SeededRandom } from '../../test/support/datastore/seeded.ts';

const seed = 'nestegg demo';
const mebibyte = 2 ** 20;
const daySeconds = 86_400;

export interface DemoPlan {
  readonly datastore: DatastorePlan;
  /** The machine that is backed up once more later: its snapshot number `snapshots` is due today. */
  readonly web: MachinePlan;
}

/** Enough snapshots that a backup commits several times on its way. */
export function demoPlan(nowMs: number): DemoPlan {
  const today = Math.floor(nowMs / 1000 / daySeconds) * daySeconds;
  const nightly = (snapshots: number) => ({ snapshots, firstSeconds: today - snapshots * daySeconds });
  const disk = (name: string, megabytes: number, changed: number) => ({
    name,
    sizeBytes: megabytes * mebibyte,
    changed,
  });
  const web: MachinePlan = {
    type: 'vm',
    id: '100',
    notes: 'web server',
    ...nightly(8),
    protectedSnapshots: [0],
    clientLog: true,
    disks: [disk('drive-scsi0', 224, 0.12)],
  };
  const machines: MachinePlan[] = [
    web,
    {
      type: 'vm',
      id: '101',
      notes: 'database',
      owner: 'backup@pbs!pve1',
      ...nightly(8),
      disks: [disk('drive-scsi0', 160, 0.2), { name: 'drive-efidisk0', sizeBytes: 540_672, changed: 0 }],
    },
    {
      type: 'ct',
      id: '200',
      namespace: 'customers/acme',
      notes: 'mail',
      ...nightly(8),
      archiveBytes: 128 * mebibyte,
      changed: 0.12,
      clientLog: true,
    },
    {
      type: 'vm',
      id: '102',
      namespace: 'customers',
      notes: 'encrypted by its own client',
      ...nightly(5),
      key: new EncryptionKey(new SeededRandom(`${seed}|key`).bytes(32)),
      disks: [disk('drive-virtio0', 64, 0.1)],
    },
    { type: 'host', id: 'desk-1', ...nightly(3), archiveBytes: 48 * mebibyte, changed: 0.1 },
  ];
  return { datastore: { seed, machines }, web };
}
