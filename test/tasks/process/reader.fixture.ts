/** A reader whose repository does what the asked-for id says. Started as a real process. */
import { systemClock } from '../../../src/core/clock.ts';
import { NotFoundError } from '../../../src/core/errors.ts';
import type { RepositoryReader } from '../../../src/tasks/kinds/read-repository.ts';
import { serveReader } from '../../../src/tasks/process/reader-process.ts';
import { hostLink } from '../../../src/tasks/process/task-process.ts';

const about = { backup: 'b', group: '|vm/100', item: '1', timeMs: 1, sizeBytes: 1, damaged: false, committedMs: 1 };

const reader: RepositoryReader = {
  // The id tells which process answered.
  snapshots: async () => [{ ...about, id: String(process.pid) }],
  snapshot: async (id) => {
    if (id === 'die') process.exit(3);
    if (id === 'hang') await systemClock.sleep(3_600_000);
    throw new NotFoundError(`there is no snapshot ${id}`, { hint: 'Look again.' });
  },
  close: async () => undefined,
};

serveReader(() => reader, hostLink());
