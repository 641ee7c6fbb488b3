/** All kinds. A new one is a file of its own and a line here. */
import { UsageError } from '../../core/errors.ts';
import { backupRunner } from './backup.ts';
import { checkRunner, probeRunner, rebuildIndexRunner, restoreRunner } from './repository-tasks.ts';
import { resultOf } from './results.ts';
import type { RepositoryTaskAssignment, TaskKindRunner, TaskKinds } from './task-kind.ts';

const unavailable: TaskKindRunner<RepositoryTaskAssignment> = {
  run: (assignment, context) =>
    resultOf(assignment, context, async () => {
      throw new UsageError(`tasks of the kind ${assignment.kind} are not available yet`);
    }),
};

export const taskKindRunners: TaskKinds = {
  backup: backupRunner,
  restore: restoreRunner,
  check: checkRunner,
  'rebuild-index': rebuildIndexRunner,
  probe: probeRunner,
  prune: unavailable,
  gc: unavailable,
  copy: unavailable,
  repair: unavailable,
  measure: unavailable,
  drill: unavailable,
};
