/** Rows of the table `tasks` and the tasks they stand for. */
import { NesteggError } from '../../core/errors.ts';
import { taskId } from '../../core/ids.ts';
import type {
  EndedTask,
  EndState,
  Priority,
  RunningTask,
  Task,
  TaskRequest,
  TaskResult,
  WaitingTask,
} from '../task.ts';
import { mergeKey, subjectName } from './merge.ts';
import type { Waiting } from './store.ts';
import type { SqlRow, SqlValue } from './sql.ts';

export const taskColumns =
  'id, state, priority, position, request, attempt, merged, interruptions, created_ms, not_before_ms, started_ms, ended_ms, result';

export const insertTask = `INSERT INTO tasks (id, state, kind, subject, priority, position, merge_key, request, attempt, merged,
  interruptions, created_ms, not_before_ms) VALUES (?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** The values of `insertTask`. */
export function insertValues({ task, position }: Waiting, interruptions: number): readonly SqlValue[] {
  const { request } = task;
  return [
    task.id,
    request.kind,
    subjectName(request),
    JSON.stringify(request.priority),
    position,
    mergeKey(request),
    JSON.stringify(request),
    task.attempt,
    task.merged,
    interruptions,
    task.createdMs,
    task.notBeforeMs ?? null,
  ];
}

/** @throws NesteggError `state.corrupt` when the row is not one that this program wrote. */
export function readTask(row: SqlRow): Task {
  try {
    return decodeTask(row);
  } catch (cause) {
    throw new NesteggError('state.corrupt', `the task ${String(row['id'])} in the state database cannot be read`, {
      cause,
      hint: 'Move the file state.db away and start again: queue and history are lost, but nothing in it is needed to restore.',
    });
  }
}

export function readWaiting(row: SqlRow): Waiting {
  const task = readTask(row);
  if (task.state !== 'queued') throw wrongState(task, 'queued');
  return { task, position: number(row, 'position') };
}

export function readRunning(row: SqlRow): RunningTask {
  const task = readTask(row);
  if (task.state !== 'running' && task.state !== 'aborting') throw wrongState(task, 'running');
  return task;
}

export function readEnded(row: SqlRow): EndedTask {
  const task = readTask(row);
  if (!('endedMs' in task)) throw wrongState(task, 'ended');
  return task;
}

function wrongState(task: Task, expected: string): NesteggError {
  return new NesteggError('internal', `the task ${task.id} is ${task.state}, expected ${expected}`);
}

function decodeTask(row: SqlRow): Task {
  const request = {
    ...(JSON.parse(text(row, 'request')) as TaskRequest),
    priority: JSON.parse(text(row, 'priority')) as Priority,
  };
  const base = {
    id: taskId(text(row, 'id')),
    request,
    attempt: number(row, 'attempt'),
    createdMs: number(row, 'created_ms'),
    merged: number(row, 'merged'),
  };
  const state = text(row, 'state') as Task['state'];
  if (state === 'queued') {
    const waiting: WaitingTask = { ...base, state };
    return row['not_before_ms'] === null ? waiting : { ...waiting, notBeforeMs: number(row, 'not_before_ms') };
  }
  if (state === 'running' || state === 'aborting') return { ...base, state, startedMs: number(row, 'started_ms') };
  const ended = { ...base, state: state satisfies EndState, endedMs: number(row, 'ended_ms') };
  const result = JSON.parse(text(row, 'result')) as TaskResult;
  return row['started_ms'] === null ? { ...ended, result } : { ...ended, startedMs: number(row, 'started_ms'), result };
}

export function text(row: SqlRow, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`column ${column} is not text`);
  return value;
}

export function number(row: SqlRow, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw new TypeError(`column ${column} is not a number`);
  return value;
}
