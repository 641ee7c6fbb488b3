/** One ended task as a row: what it was, how it ended, what it did, and what went wrong where. */
import type { EndedTaskView, TaskProblem } from '../../../src/daemon/api/contract.ts';
import { bytes, duration, plural } from './format.ts';
import { lookOf, taskTitle, type Look } from './words.ts';

export interface ResultView {
  readonly id: string;
  readonly title: string;
  readonly look: Look;
  readonly endedMs: number;
  readonly figures: readonly string[];
  /** Named only when they did not all end the same way. */
  readonly repositories: readonly { readonly name: string; readonly look: Look }[];
  readonly problems: readonly string[];
}

/** More stand in the log of the task. */
const shownWarnings = 2;

function sentence(problem: TaskProblem, where?: string): string {
  const text = problem.hint === undefined ? problem.message : `${problem.message}. ${problem.hint}`;
  return where === undefined ? text : `${where}: ${text}`;
}

function figuresOf({ kind, result }: EndedTaskView): string[] {
  const stored = result.repositories.reduce((sum, repository) => sum + repository.storedBytes, 0);
  const snapshots = new Set(result.repositories.flatMap((repository) => repository.snapshots)).size;
  return [
    ...(result.readBytes > 0 ? [`${bytes(result.readBytes)} read`] : []),
    ...(kind === 'backup' ? [`${bytes(stored)} stored`] : []),
    ...(snapshots > 0 ? [plural(snapshots, 'snapshot')] : []),
    duration(result.durationMs),
  ];
}

function problemsOf({ result }: EndedTaskView): string[] {
  const failed = result.repositories.flatMap(({ repository, problem }) =>
    problem === undefined ? [] : [sentence(problem, repository)],
  );
  const own = result.problem && failed.length === 0 ? [sentence(result.problem)] : [];
  const warnings = result.warnings.slice(0, shownWarnings).map((warning) => sentence(warning));
  const more = result.warnings.length - warnings.length + result.moreWarnings;
  return [...new Set([...own, ...failed, ...warnings]), ...(more > 0 ? [`and ${plural(more, 'more warning')}`] : [])];
}

export function resultOf(task: EndedTaskView): ResultView {
  const { repositories } = task.result;
  const mixed = new Set(repositories.map(({ state }) => state)).size > 1;
  return {
    id: task.id,
    title: taskTitle(task),
    look: lookOf(task.state),
    endedMs: task.endedMs,
    figures: figuresOf(task),
    repositories: mixed ? repositories.map(({ repository, state }) => ({ name: repository, look: lookOf(state) })) : [],
    problems: problemsOf(task),
  };
}
