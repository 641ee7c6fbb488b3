/** Values of options. */
import { UsageError } from '../core/errors.ts';
import type { Priority } from '../daemon/api/contract.ts';

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

const namedPriorities = ['immediate', 'next', 'superior', 'inferior', 'on-idle'] as const;

/** @throws UsageError */
export function parsePriority(text: string): Priority {
  if (text === 'normal') return 0;
  const named = namedPriorities.find((name) => name === text);
  if (named !== undefined) return named;
  if (/^[+-]?\d{1,6}$/.test(text)) return Number(text);
  throw new UsageError(`not a priority: ${text}`, {
    hint: 'immediate, next, superior, normal, inferior, on-idle, or an integer (higher first, normal is 0).',
  });
}

/** `5%`, `100%`, as a share above 0 and at most 1. @throws UsageError */
export function parseShare(text: string): number {
  const percent = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text)?.[1];
  const share = Number(percent) / 100;
  if (percent === undefined || share <= 0 || share > 1) {
    throw new UsageError(`not a share: ${text}`, { hint: 'Above 0 % and at most 100%, as in `--read 5%`.' });
  }
  return share;
}

/** @throws UsageError */
export function parseLimit(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new UsageError(`not a number of rows: ${text}`);
  return Number(text);
}
