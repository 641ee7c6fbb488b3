/** The one sentence at the top: the worst state wins. */
import type { BackupView, StatusView, SubjectState } from '../../../src/daemon/api/contract.ts';
import { ago, plural } from './format.ts';
import { lookOf, type IconName, type Tone } from './words.ts';

export interface Summary {
  readonly tone: Tone;
  readonly icon: IconName;
  readonly headline: string;
  readonly details: readonly string[];
}

const order: readonly SubjectState[] = ['failed', 'interrupted', 'overdue', 'warning', 'never', 'cancelled', 'skipped'];

const endings: Partial<Readonly<Record<SubjectState, string>>> = {
  failed: 'failed',
  interrupted: 'interrupted',
  overdue: 'overdue',
  warning: 'ended with warnings',
  never: 'never ran',
  cancelled: 'cancelled',
  skipped: 'skipped',
};

/** A backup that runs or waits now is judged by how it ended last; the worst of its repositories counts. */
function judged(backup: BackupView): SubjectState {
  const states = [backup.state, ...backup.repositories.map((line) => line.state)].map((state): SubjectState =>
    state === 'running' || state === 'queued' || state === 'aborting' ? (backup.last?.state ?? 'seeding') : state,
  );
  return order.find((state) => states.includes(state)) ?? backup.state;
}

function headline(backups: readonly BackupView[]): Omit<Summary, 'details'> {
  const states = backups.map(judged);
  for (const state of order) {
    const bad = backups.filter((_, index) => states[index] === state);
    const [first] = bad;
    if (first === undefined) continue;
    const { tone, icon } = lookOf(state);
    const who =
      bad.length === 1 ? `Backup ${first.name}` : `${String(bad.length)} of ${plural(backups.length, 'backup')}`;
    return { tone, icon, headline: `${who} ${endings[state] ?? state}` };
  }
  const all = backups.length === 1 ? 'The backup is' : `All ${String(backups.length)} backups are`;
  return { tone: 'good', icon: 'check', headline: `${all} OK` };
}

/** Of all lines the one that has waited longest for a commit: what would be lost most. */
function leastRecent(backups: readonly BackupView[], nowMs: number): string | undefined {
  const lines = backups.flatMap((backup) =>
    backup.repositories.flatMap(({ repository, committedMs }) =>
      committedMs === undefined ? [] : [{ name: `${backup.name} → ${repository}`, committedMs }],
    ),
  );
  const oldest = lines.sort((a, b) => a.committedMs - b.committedMs)[0];
  return oldest && `Least recent commit: ${oldest.name}, ${ago(oldest.committedMs, nowMs)}`;
}

function nextRun(backups: readonly BackupView[], nowMs: number): string | undefined {
  const times = backups.flatMap((backup) => (backup.nextFireMs === undefined ? [] : [backup.nextFireMs]));
  return times.length === 0 ? undefined : `Next run ${ago(Math.min(...times), nowMs)}`;
}

export function summaryOf(status: StatusView, nowMs: number): Summary {
  const { backups } = status;
  if (backups.length === 0) {
    return { tone: 'quiet', icon: 'dot', headline: 'No backups are configured', details: [] };
  }
  const details = [leastRecent(backups, nowMs), nextRun(backups, nowMs)].filter((text) => text !== undefined);
  return { ...headline(backups), details };
}
