import type { BackupReport, TargetState } from './backup.ts';
import type { ProblemList } from '../../core/problem.ts';
import type { TargetRun } from './target-run.ts';

export interface ReportParts extends Pick<BackupReport, 'readBytes' | 'items' | 'chunks' | 'durationMs' | 'details'> {
  readonly cancelled: boolean;
  readonly targets: readonly TargetRun[];
  readonly warnings: ProblemList;
}

const worstFirst: readonly TargetState[] = ['failed', 'cancelled', 'warning', 'done'];

/** The report of a run. Its state is the worst one of its targets, and at least `warning` when anything was warned of. */
export function makeReport({ cancelled, targets, warnings, ...figures }: ReportParts): BackupReport {
  const repositories = targets.map((target) => target.result(cancelled));
  const worst = worstFirst.find((each) => repositories.some((result) => result.state === each)) ?? 'done';
  const state = worst === 'done' && warnings.any ? 'warning' : worst;
  const problem = repositories.find((result) => result.state === 'failed')?.problem;
  return {
    state,
    repositories,
    ...figures,
    warnings: warnings.listed,
    moreWarnings: warnings.more,
    ...(problem ? { problem } : {}),
  };
}
