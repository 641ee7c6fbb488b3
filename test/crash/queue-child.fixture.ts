/** A process that is killed: does the steps of its order in the state directory, or opens the queue that is there. */
import { readFileSync, writeSync } from 'node:fs';
import { createOsLocks } from '../../src/core/os-lock-helper.ts';
import { openState } from '../../src/daemon/state/state.ts';
import { openQueue } from './queue.ts';
import { apply, type Step } from './queue-script.ts';

export interface QueueOrder {
  readonly state: string;
  /** Groups that are sent together; none: the queue is opened, which ends what an earlier boot left running. */
  readonly script: readonly (readonly Step[])[] | undefined;
}

const order = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as QueueOrder;
const locks = createOsLocks();
const state = await openState(order.state, locks);
if (!order.script) await openQueue(state.queue, 'a boot that is killed too');
for (const group of order.script ?? []) {
  await Promise.all(
    group.map(async (step) => {
      await apply(state.queue, step);
      writeSync(1, 'answered\n');
    }),
  );
}
await state.close();
await locks.close();
process.exit(0);
