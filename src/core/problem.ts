import { isCancellation, messageOf, NesteggError } from './errors.ts';

/** A warning or failure as plain values, for reports, history and logs. `context` names what is affected. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** Present when the same thing may go well after some time. */
  readonly retry?: 'later';
  readonly context?: Readonly<Record<string, unknown>>;
}

/** What was thrown, as plain values. */
export function problemOf(error: unknown): Problem {
  if (error instanceof NesteggError) {
    return {
      code: error.code,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.retry === 'later' ? { retry: error.retry } : {}),
      ...(Object.keys(error.context).length === 0 ? {} : { context: error.context }),
    };
  }
  return { code: isCancellation(error) ? 'cancelled' : 'internal', message: messageOf(error) };
}

/** Problems that a list keeps; beyond them they are only counted. */
const longestList = 200;

/** Collects the warnings of one run and tells each at once. */
export class ProblemList {
  readonly #tell: ((problem: Problem) => void) | undefined;
  readonly #listed: Problem[] = [];
  #more = 0;

  constructor(tell: ((problem: Problem) => void) | undefined) {
    this.#tell = tell;
  }

  get listed(): readonly Problem[] {
    return this.#listed;
  }

  get more(): number {
    return this.#more;
  }

  get any(): boolean {
    return this.#listed.length > 0;
  }

  add(problem: Problem): void {
    this.#tell?.(problem);
    if (this.#listed.length < longestList) this.#listed.push(problem);
    else this.#more += 1;
  }
}
