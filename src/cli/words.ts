/** Values in words, the same everywhere on the command line. */
import { assertNever } from '../core/assert.ts';
import { formatDuration, formatSize } from '../core/units.ts';
import type {
  RepositoryResult,
  SubjectState,
  TaskProblem,
  TaskResult,
  TaskView,
  WaitingReason,
} from '../daemon/api/contract.ts';

const stateWords: Readonly<Record<SubjectState, string>> = {
  queued: 'Queued',
  running: 'Running',
  aborting: 'Stopping',
  done: 'OK',
  warning: 'Warning',
  failed: 'Failed',
  cancelled: 'Cancelled',
  interrupted: 'Interrupted',
  skipped: 'Skipped',
  overdue: 'Overdue',
  paused: 'Paused',
  seeding: 'Seeding',
  never: 'Never ran',
};

export function stateWord(state: SubjectState): string {
  return stateWords[state];
}

/** `2026-11-21 04:11:45`, in the time zone of this machine. */
export function timeText(ms: number | undefined): string {
  if (ms === undefined) return '-';
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${String(date.getFullYear())}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function subjectText(task: Pick<TaskView, 'kind' | 'subject'>): string {
  const { subject } = task;
  return `${task.kind} ${subject.type === 'backup' ? subject.backup : subject.repository}`;
}

export function waitingText(reason: WaitingReason | undefined): string {
  if (reason === undefined) return 'starts now';
  switch (reason.reason) {
    case 'slots':
      return `${String(reason.used)} of ${String(reason.slots)} slots are taken`;
    case 'collision':
      return `waits for task ${reason.task} on ${reason.on}`;
    case 'paused':
      return `${reason.what} paused by ${reason.by} since ${timeText(reason.sinceMs)}`;
    case 'window':
      return `its window opens at ${timeText(reason.opensMs)}`;
    case 'retry':
      return `is tried again at ${timeText(reason.atMs)}`;
    case 'behind':
      return `${String(reason.tasksAhead)} tasks are ahead of it`;
    case 'stopping':
      return 'the daemon is stopping';
    default:
      return assertNever(reason);
  }
}

export function problemLines(problem: TaskProblem): readonly string[] {
  const hint = problem.hint === undefined ? [] : [`  hint: ${problem.hint}`];
  return [`${problem.message} (${problem.code})`, ...hint];
}

/** Empty for what stored nothing: a check, a restore, a backup that found nothing new. */
function partCounts({ storedBytes, storedPacks, snapshots }: RepositoryResult): string {
  if (storedPacks === 0 && snapshots.length === 0) return '';
  return `, ${formatSize(storedBytes)} stored in ${String(storedPacks)} packs, ${String(snapshots.length)} snapshots`;
}

/** A group as it is named on the command line: `ns/a/b/vm/100`. */
export function groupText(group: string): string {
  const [namespace = '', name = ''] = group.includes('|') ? group.split('|', 2) : ['', group];
  return namespace === '' ? name : `ns/${namespace}/${name}`;
}

/** The end of a task for people: one line, one for each repository, then what is wrong. */
export function resultLines(result: TaskResult): readonly string[] {
  const counts = `${formatSize(result.readBytes)} read, ${String(result.chunks)} chunks, ${String(result.items)} items`;
  const lines = [`${stateWord(result.state)} in ${formatDuration(result.durationMs)}: ${counts}`];
  for (const part of result.repositories) {
    lines.push(`  ${part.repository}: ${stateWord(part.state)}${partCounts(part)}`);
    if (part.problem) lines.push(...problemLines(part.problem).map((line) => `    ${line}`));
  }
  for (const warning of result.warnings) lines.push(`  warning: ${problemLines(warning).join('\n')}`);
  if (result.moreWarnings > 0) lines.push(`  and ${String(result.moreWarnings)} more warnings`);
  const told = result.repositories.some(({ problem }) => problem?.message === result.problem?.message);
  if (result.problem && !told) lines.push(...problemLines(result.problem).map((line) => `  ${line}`));
  return lines.flatMap((line) => line.split('\n'));
}
