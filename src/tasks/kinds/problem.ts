/** Anything that was thrown, as the problem that results, events and API answers carry. */
import { isCancellation, messageOf, NesteggError } from '../../core/errors.ts';
import type { TaskProblem } from '../task.ts';

export function problemOf(error: unknown): TaskProblem {
  if (error instanceof NesteggError) {
    return {
      code: error.code,
      message: error.message,
      ...(error.retry === 'later' ? { retry: error.retry } : {}),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(Object.keys(error.context).length === 0 ? {} : { context: error.context }),
    };
  }
  if (isCancellation(error)) return { code: 'cancelled', message: 'stopped on request' };
  return { code: 'internal', message: messageOf(error) };
}
