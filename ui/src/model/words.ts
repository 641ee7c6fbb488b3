/** How states, reasons, triggers and priorities read. A state is always colour, icon and word, never colour alone. */
import type {
  PauseView,
  Priority,
  Subject,
  SubjectState,
  TaskView,
  Trigger,
  WaitingReason,
} from '../../../src/daemon/api/contract.ts';
import { ago, plural, sentenceCase, timeOfDay } from './format.ts';

export type Tone = 'good' | 'notice' | 'bad' | 'busy' | 'quiet';

export type IconName =
  'check' | 'alert' | 'cross' | 'clock' | 'play' | 'stop' | 'pause' | 'skip' | 'sprout' | 'dot' | 'broken';

export interface Look {
  readonly word: string;
  readonly tone: Tone;
  readonly icon: IconName;
}

const looks: Readonly<Record<SubjectState, Look>> = {
  done: { word: 'OK', tone: 'good', icon: 'check' },
  warning: { word: 'Warning', tone: 'notice', icon: 'alert' },
  failed: { word: 'Failed', tone: 'bad', icon: 'cross' },
  interrupted: { word: 'Interrupted', tone: 'bad', icon: 'broken' },
  overdue: { word: 'Overdue', tone: 'bad', icon: 'clock' },
  cancelled: { word: 'Cancelled', tone: 'quiet', icon: 'stop' },
  skipped: { word: 'Skipped', tone: 'quiet', icon: 'skip' },
  queued: { word: 'Queued', tone: 'quiet', icon: 'clock' },
  running: { word: 'Running', tone: 'busy', icon: 'play' },
  aborting: { word: 'Stopping', tone: 'busy', icon: 'stop' },
  seeding: { word: 'Seeding', tone: 'busy', icon: 'sprout' },
  paused: { word: 'Paused', tone: 'quiet', icon: 'pause' },
  never: { word: 'Never ran', tone: 'quiet', icon: 'dot' },
};

export function lookOf(state: SubjectState): Look {
  return looks[state];
}

export function subjectName(subject: Subject): string {
  return subject.type === 'backup' ? subject.backup : subject.repository;
}

/** `Backup datacenter`, `Check of sia`. */
export function taskTitle(task: Pick<TaskView, 'kind' | 'subject'>): string {
  const name = subjectName(task.subject);
  return task.kind === 'backup' ? `Backup ${name}` : `${sentenceCase(task.kind)} of ${name}`;
}

export function priorityWord(priority: Priority): string {
  if (typeof priority === 'number') return priority === 0 ? 'normal' : `priority ${String(priority)}`;
  return priority;
}

const triggers: Readonly<Record<Trigger['kind'], string>> = {
  cron: 'schedule',
  interval: 'schedule',
  calendar: 'schedule',
  watch: 'a change of the files',
  pbs: 'a new PBS snapshot',
  startup: 'the start of the daemon',
  'catch-up': 'catching up',
  retry: 'a retry',
  api: 'the API',
  ui: 'this page',
  cli: 'the command line',
};

export function triggerWords(trigger: Trigger): string {
  const words = triggers[trigger.kind];
  const schedule = trigger.kind === 'cron' || trigger.kind === 'interval' || trigger.kind === 'calendar';
  return schedule && trigger.detail !== undefined ? `${words} “${trigger.detail}”` : words;
}

export function pauseWords({ what, by, sinceMs }: PauseView, nowMs: number): string {
  const subject =
    what === 'queue' ? 'The queue' : sentenceCase(what.split(' ', 1)[0] ?? '') + what.slice(what.indexOf(' '));
  return `${subject} was paused by ${by} ${ago(sinceMs, nowMs)}, and is on hold until it is resumed`;
}

/** Why a task waits. `titleOf` names the task it collides with, if that is known here. */
export function reasonWords(reason: WaitingReason, nowMs: number, titleOf: (id: string) => string | undefined): string {
  switch (reason.reason) {
    case 'slots':
      return `waits for a free slot: ${String(reason.used)} of ${String(reason.slots)} in use`;
    case 'collision':
      return `waits for ${titleOf(reason.task) ?? 'another task'}, which is using ${reason.on}`;
    case 'paused':
      return `${reason.what} was paused by ${reason.by} ${ago(reason.sinceMs, nowMs)}`;
    case 'window':
      return `waits for its window, which opens at ${timeOfDay(reason.opensMs)}`;
    case 'retry':
      return `is tried again ${ago(reason.atMs, nowMs)}`;
    case 'behind':
      return `${plural(reason.tasksAhead, 'task')} ahead of it`;
    case 'stopping':
      return 'the daemon is stopping';
  }
}
