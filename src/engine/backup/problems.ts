import { messageOf, NesteggError } from '../../core/errors.ts';
import type { BackupEvents, BackupProblem } from './backup.ts';

/** Warnings that a report lists; beyond them they are only counted. */
const longestList = 200;

/** What was thrown, as plain values. */
export function problemOf(error: unknown): BackupProblem {
  if (!(error instanceof NesteggError)) return { code: 'internal', message: messageOf(error) };
  return {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(Object.keys(error.context).length === 0 ? {} : { context: error.context }),
  };
}

/** Collects the warnings of one run and tells each at once. */
export class Warnings {
  readonly #events: BackupEvents | undefined;
  readonly #listed: BackupProblem[] = [];
  #more = 0;

  constructor(events: BackupEvents | undefined) {
    this.#events = events;
  }

  get listed(): readonly BackupProblem[] {
    return this.#listed;
  }

  get more(): number {
    return this.#more;
  }

  get any(): boolean {
    return this.#listed.length > 0;
  }

  add(problem: BackupProblem): void {
    this.#events?.warning?.(problem);
    if (this.#listed.length < longestList) this.#listed.push(problem);
    else this.#more += 1;
  }
}
