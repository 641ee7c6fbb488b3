import { systemClock } from '../../src/core/clock.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { systemRandom } from '../../src/core/random.ts';
import type { QueueStore } from '../../src/tasks/queue/store.ts';
import { TaskQueue } from '../../src/tasks/queue/task-queue.ts';

/** The queue as a daemon opens it at start. */
export function openQueue(store: QueueStore, boot: string): Promise<TaskQueue> {
  const around = { store, clock: systemClock, random: systemRandom, logger: silentLogger, boot, slots: 1 };
  return TaskQueue.open(around, () => undefined);
}
