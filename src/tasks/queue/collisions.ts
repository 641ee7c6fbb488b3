import type { TaskRequest } from '../task.ts';
import { subjectName } from './merge.ts';

/**
 * What a task holds while it runs; two tasks that share a key never run together: each of its repositories, and its
 * subject, so that a backup is never made twice at once. In words that people know: `repository sia`, `backup grafana`.
 */
export function collisionKeys(request: Pick<TaskRequest, 'subject' | 'repositories'>): ReadonlySet<string> {
  return new Set([...request.repositories.map((name) => `repository ${name}`), subjectName(request)]);
}
