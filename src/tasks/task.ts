/**
 * # Tasks: what is to be done
 *
 * A *task* is one thing to do once, of one *kind*, for one *subject*: waiting, running or in the history. This file is the
 * vocabulary shared by queue, hooks, kinds, process host, API and log; it holds no behaviour but the order of priorities.
 */
import type { TaskId } from '../core/ids.ts';

export const taskKinds = [
  'backup',
  'restore',
  'prune',
  'gc',
  'check',
  'copy',
  'repair',
  'rebuild-index',
  'measure',
  'drill',
  'probe',
] as const;
export type TaskKind = (typeof taskKinds)[number];

export type TriggerKind =
  'cron' | 'interval' | 'calendar' | 'watch' | 'pbs' | 'startup' | 'catch-up' | 'retry' | 'api' | 'ui' | 'cli';

/** What caused a task. `due` is the time a schedule was due, in milliseconds since the epoch: the key of exactly-once. */
export interface Trigger {
  readonly kind: TriggerKind;
  /** The schedule text, the user or token name, or the id of the task that is repeated. */
  readonly detail?: string;
  readonly dueMs?: number;
}

/** `immediate` > `next` > `superior` > integers (higher first, `normal` = 0) > `inferior` > `on-idle`. */
export type Priority = 'immediate' | 'next' | 'superior' | 'inferior' | 'on-idle' | number;

/** What the task is about: a backup of the configuration, or a repository. */
export type Subject =
  { readonly type: 'backup'; readonly backup: string } | { readonly type: 'repository'; readonly repository: string };

/** Options by kind, plain JSON values, checked by the kind itself. */
export type TaskOptions = Readonly<Record<string, unknown>>;

export interface TaskRequest {
  readonly kind: TaskKind;
  readonly subject: Subject;
  /** Names of the repositories it runs against; every one is a collision key. */
  readonly repositories: readonly string[];
  readonly priority: Priority;
  readonly trigger: Trigger;
  readonly options: TaskOptions;
  /** How often it may be repeated after a failure that is worth it. */
  readonly retries: number;
}

export type TaskState =
  'queued' | 'running' | 'aborting' | 'done' | 'warning' | 'failed' | 'cancelled' | 'interrupted' | 'skipped';

export type EndState = Exclude<TaskState, 'queued' | 'running' | 'aborting'>;

export interface TaskProblem {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** Present when the same thing may go well after some time: the task is repeated while it has retries left. */
  readonly retry?: 'later';
  /** Names of what is affected: chunk digest, index and position, file. */
  readonly context?: Readonly<Record<string, unknown>>;
}

/** What one repository got out of a task. Counters are zero where a kind has no use for them. */
export interface RepositoryResult {
  readonly repository: string;
  readonly state: EndState;
  readonly storedBytes: number;
  readonly storedPacks: number;
  readonly newBlobs: number;
  readonly snapshots: readonly string[];
  readonly problem?: TaskProblem;
}

/** One per task, the worst state of its repositories. The same value is the history row and the log event. */
export interface TaskResult {
  readonly state: EndState;
  readonly repositories: readonly RepositoryResult[];
  readonly readBytes: number;
  readonly items: number;
  readonly chunks: number;
  readonly durationMs: number;
  readonly warnings: readonly TaskProblem[];
  /** Warnings beyond those listed (the list is capped). */
  readonly moreWarnings: number;
  readonly problem?: TaskProblem;
  /** Further figures of the kind, plain JSON. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** A running task tells, at most a few times a second. Totals are absent while unknown: no invented percentages. */
export interface TaskProgress {
  readonly phase: string;
  readonly item?: string;
  readonly doneBytes: number;
  readonly totalBytes?: number;
  readonly doneItems: number;
  readonly totalItems?: number;
  readonly uploadedBytes: number;
  readonly bytesPerSecond: number;
}

interface TaskBase {
  readonly id: TaskId;
  readonly request: TaskRequest;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly createdMs: number;
  /** How many equal requests were merged into this task while it waited. */
  readonly merged: number;
}

export type Task =
  | (TaskBase & { readonly state: 'queued'; readonly notBeforeMs?: number })
  | (TaskBase & { readonly state: 'running' | 'aborting'; readonly startedMs: number })
  | (TaskBase & {
      readonly state: EndState;
      readonly startedMs?: number;
      readonly endedMs: number;
      readonly result: TaskResult;
    });

export type WaitingTask = Extract<Task, { state: 'queued' }>;
/** Started and not ended: also while it is being stopped. */
export type RunningTask = Extract<Task, { state: 'running' | 'aborting' }>;
export type EndedTask = Extract<Task, { state: EndState }>;

/** Why a task waits: a closed union, rendered in words by the CLI and the UI. */
export type WaitingReason =
  | { readonly reason: 'slots'; readonly used: number; readonly slots: number }
  | { readonly reason: 'collision'; readonly task: TaskId; readonly on: string }
  | { readonly reason: 'paused'; readonly what: string; readonly by: string; readonly sinceMs: number }
  | { readonly reason: 'window'; readonly opensMs: number }
  | { readonly reason: 'retry'; readonly atMs: number }
  | { readonly reason: 'behind'; readonly tasksAhead: number }
  | { readonly reason: 'stopping' };

/** Everything that happens to tasks, in order; the log, the live updates and the metrics derive from it. */
export type TaskEvent =
  | { readonly type: 'task.queued'; readonly task: WaitingTask; readonly merged: boolean }
  | { readonly type: 'task.changed'; readonly task: WaitingTask }
  | { readonly type: 'task.started'; readonly task: RunningTask }
  | { readonly type: 'task.aborting'; readonly task: RunningTask }
  | { readonly type: 'task.progress'; readonly id: TaskId; readonly progress: TaskProgress }
  | { readonly type: 'task.warning'; readonly id: TaskId; readonly problem: TaskProblem }
  | { readonly type: 'task.ended'; readonly task: EndedTask };

const named: Readonly<Record<Exclude<Priority, number>, readonly [number, number]>> = {
  immediate: [5, 0],
  next: [4, 0],
  superior: [3, 0],
  inferior: [1, 0],
  'on-idle': [0, 0],
};

/** Negative when `a` goes before `b`. */
export function comparePriority(a: Priority, b: Priority): number {
  const [rankA, valueA] = typeof a === 'number' ? [2, a] : named[a];
  const [rankB, valueB] = typeof b === 'number' ? [2, b] : named[b];
  return rankB - rankA || valueB - valueA;
}
