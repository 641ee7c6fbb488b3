import { silentLogger } from '../../src/core/logger.ts';
import type { DatastoreWatch, Fire, ScannedGroup, TriggerMemory, TriggerServices } from '../../src/triggers/trigger.ts';
import { FakeClock } from './fake-clock.ts';

/** What a trigger needs, in memory: survives the trigger, as the database does. */
export class TestServices implements TriggerServices {
  readonly clock: FakeClock;
  readonly logger = silentLogger;
  readonly memories = new Map<string, TriggerMemory>();
  readonly fires: Fire[] = [];
  /** Counts down: so many saves, and so many fires, fail first. */
  failingSaves = 0;
  failingFires = 0;
  readonly scans = new Map<string, (groups: readonly ScannedGroup[]) => void>();

  constructor(startMs?: number) {
    this.clock = new FakeClock(startMs);
  }

  readonly store = {
    load: async (id: string) => this.memories.get(id),
    save: async (id: string, memory: TriggerMemory) => {
      if (this.failingSaves-- > 0) throw new Error('the disk is full');
      this.memories.set(id, memory);
    },
  };

  readonly datastores: DatastoreWatch = {
    watch: (datastore, scanned) => {
      this.scans.set(datastore, scanned);
      return () => void this.scans.delete(datastore);
    },
  };

  readonly fire = async (fire: Fire): Promise<void> => {
    if (this.failingFires-- > 0) throw new Error('the disk is full');
    this.fires.push(fire);
  };
}
