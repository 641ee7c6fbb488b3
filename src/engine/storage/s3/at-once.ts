import type { ObjectName } from '../storage.ts';

/**
 * Asks the same question about many objects, some at a time. What was answered stays known after a failure, so that a
 * caller who tries again asks only about the rest: over many objects one request will fail, at any rate of failures.
 */
export class Questions<R> {
  readonly #limit: number;
  readonly #ask: (name: ObjectName, signal: AbortSignal | undefined) => Promise<R>;
  readonly #lasts: (answer: R) => boolean;
  readonly #known = new Map<ObjectName, R>();

  /** `lasts`: this answer may be kept for the next try. */
  constructor(
    limit: number,
    ask: (name: ObjectName, signal: AbortSignal | undefined) => Promise<R>,
    lasts: (answer: R) => boolean = () => true,
  ) {
    this.#limit = limit;
    this.#ask = ask;
    this.#lasts = lasts;
  }

  /**
   * The answers, in the order of the names. After as many failures as requests at a time nothing more is asked: then it
   * is not bad luck.
   * @throws the first failure, after the requests under way have ended.
   */
  async all(names: readonly ObjectName[], signal: AbortSignal | undefined): Promise<readonly R[]> {
    const answers = new Map<ObjectName, R>();
    const failures: unknown[] = [];
    const waiting = new Set(names);
    for (const name of waiting) {
      const known = this.#known.get(name);
      if (known === undefined) continue;
      answers.set(name, known);
      waiting.delete(name);
    }
    const lane = async (): Promise<void> => {
      for (const name of waiting) {
        if (failures.length >= this.#limit) return;
        waiting.delete(name);
        try {
          answers.set(name, await this.#ask(name, signal));
        } catch (error) {
          failures.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: this.#limit }, lane));
    this.#remember(failures.length > 0 ? answers : new Map<ObjectName, R>());
    if (failures.length > 0) throw failures[0];
    return names.map((name) => answers.get(name) as R);
  }

  #remember(answers: ReadonlyMap<ObjectName, R>): void {
    this.#known.clear();
    for (const [name, answer] of answers) if (this.#lasts(answer)) this.#known.set(name, answer);
  }
}
