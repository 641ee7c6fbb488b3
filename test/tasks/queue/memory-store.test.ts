import { MemoryQueueStore } from '../../../src/tasks/queue/memory-store.ts';
import type { QueueStore } from '../../../src/tasks/queue/store.ts';
import { queueStoreContract } from '../../contracts/queue-store-contract.ts';
import { asPromises } from '../../support/as-promises.ts';

queueStoreContract(async () => ({
  store: asPromises<QueueStore>(new MemoryQueueStore()),
  close: async () => undefined,
}));
