/** Results of tasks about one repository. */
import { isCancellation } from '../../core/errors.ts';
import { problemOf } from '../../core/problem.ts';
import { emptyResult } from '../empty-result.ts';
import type { EndState, TaskProblem, TaskResult } from '../task.ts';
import type { RepositoryTaskAssignment, TaskContext } from './task-kind.ts';

/** Runs `work`; what it throws becomes the result. */
export async function resultOf(
  assignment: RepositoryTaskAssignment,
  context: TaskContext,
  work: () => Promise<Partial<TaskResult> & { readonly state: EndState }>,
): Promise<TaskResult> {
  const startedMs = context.clock.monotonic();
  const names = [assignment.repository.name];
  const ended = (state: EndState, problem?: TaskProblem): TaskResult =>
    emptyResult(state, names, problem, Math.round(context.clock.monotonic() - startedMs));
  try {
    const { state, problem, ...figures } = await work();
    return { ...ended(state, problem), ...figures };
  } catch (error) {
    const cancelled = isCancellation(error) || context.signal.aborted;
    return ended(cancelled ? 'cancelled' : 'failed', problemOf(error));
  }
}
