/** When two requests are one, and what names a due time. Pure. */
import { comparePriority, type TaskRequest, type WaitingTask } from '../task.ts';
import type { NewTask } from './store.ts';

/**
 * Equal for requests that ask for the same work: kind, subject, repositories in any order, and options. Priority,
 * trigger and retries do not count.
 */
export function mergeKey(request: TaskRequest): string {
  const repositories = [...new Set(request.repositories)].sort();
  return canonicalJson([request.kind, subjectName(request), repositories, request.options]);
}

/** The waiting task after an equal request arrived: the higher priority, the earlier start, the larger patience. */
export function merged(waiting: WaitingTask, incoming: NewTask): WaitingTask {
  const { notBeforeMs, ...rest } = waiting;
  const raised = comparePriority(incoming.request.priority, waiting.request.priority) < 0;
  const request: TaskRequest = {
    ...waiting.request,
    priority: raised ? incoming.request.priority : waiting.request.priority,
    retries: Math.max(waiting.request.retries, incoming.request.retries),
  };
  const start = earliest(notBeforeMs, incoming.notBeforeMs);
  return {
    ...rest,
    request,
    attempt: Math.min(waiting.attempt, incoming.attempt),
    merged: waiting.merged + 1,
    ...(start === undefined ? {} : { notBeforeMs: start }),
  };
}

/**
 * Names one due time of one schedule of one subject, or `undefined` for a request that no due time caused. A catch-up
 * counts as the due time it makes up for.
 */
export function fireKey(request: TaskRequest): string | undefined {
  const { dueMs, detail } = request.trigger;
  if (dueMs === undefined) return undefined;
  return canonicalJson([subjectName(request), request.kind, detail ?? '', dueMs]);
}

/** `backup grafana`, `repository sia`. */
export function subjectName(request: Pick<TaskRequest, 'subject'>): string {
  const { subject } = request;
  return subject.type === 'backup' ? `backup ${subject.backup}` : `repository ${subject.repository}`;
}

/** `undefined` means at once, so it wins. */
function earliest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.min(a, b);
}

/** JSON with sorted keys, so that equal values have equal texts. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
