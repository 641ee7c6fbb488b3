/**
 * # Doctor: is everything well?
 *
 * A *finding* is one thing that was looked at: what was measured, what it is held against, a verdict, and what to do. `fair`
 * works but could do better; only `bad` makes the command fail. An examination never throws: what cannot be measured is a
 * finding too.
 */
export interface Finding {
  readonly what: string;
  readonly measured: string;
  readonly threshold: string;
  readonly verdict: 'ok' | 'fair' | 'bad';
  /** Empty when it is well. */
  readonly advice: string;
}

export function well(what: string, measured: string, threshold = '-'): Finding {
  return { what, measured, threshold, verdict: 'ok', advice: '' };
}

export function bad(what: string, measured: string, advice: string, threshold = '-'): Finding {
  return { what, measured, threshold, verdict: 'bad', advice };
}
