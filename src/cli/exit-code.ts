/** Exit codes: 0 done · 1 failed · 2 wrong usage or configuration · 3 warnings · 4 not found · 10 · 11 · 130 cancelled. */
import { isCancellation, NesteggError, NotFoundError } from '../core/errors.ts';
import type { ErrorCode } from '../core/error-codes.ts';
import type { EndState, TaskResult } from '../daemon/api/contract.ts';

const byCode: Partial<Readonly<Record<ErrorCode, number>>> = {
  usage: 2,
  ambiguous: 2,
  'config.invalid': 2,
  'config.unavailable': 2,
  'config.secret': 2,
  'not-found': 4,
  'repository.missing': 10,
  'repository.password': 11,
  cancelled: 130,
};

export function exitCodeOf(error: unknown): number {
  if (isCancellation(error)) return 130;
  if (error instanceof NesteggError) return byCode[error.code] ?? (error instanceof NotFoundError ? 4 : 1);
  return 1;
}

const byState: Readonly<Record<EndState, number>> = {
  done: 0,
  skipped: 0,
  warning: 3,
  failed: 1,
  interrupted: 1,
  cancelled: 130,
};

/** A task that failed for want of the right key, or of a repository, says so by its exit code. */
export function exitCodeOfResult(result: TaskResult): number {
  if (result.state !== 'failed') return byState[result.state];
  const codes = [result.problem?.code, ...result.repositories.map(({ problem }) => problem?.code)];
  const telling = codes.map((code) => specific[code ?? '']).find((code) => code !== undefined);
  return telling ?? 1;
}

const specific: Readonly<Record<string, number>> = { 'repository.missing': 10, 'repository.password': 11 };
