import type { EndState, RepositoryResult, TaskProblem, TaskResult } from './task.ts';

/** The result of a task that achieved nothing, the same for each of its repositories. */
export function emptyResult(
  state: EndState,
  repositories: readonly string[],
  problem?: TaskProblem,
  durationMs = 0,
): TaskResult {
  const why = problem === undefined ? {} : { problem };
  return {
    state,
    repositories: repositories.map((repository): RepositoryResult => ({
      repository,
      state,
      storedBytes: 0,
      storedPacks: 0,
      newBlobs: 0,
      snapshots: [],
      ...why,
    })),
    readBytes: 0,
    items: 0,
    chunks: 0,
    durationMs,
    warnings: [],
    moreWarnings: 0,
    ...why,
  };
}
