/**
 * Waiting for a condition over plain state, with one way to fail for all who wait. Whoever changes the state calls
 * `changed`; whoever finds that it can never change again calls `fail`.
 */
export class Turnstile {
  #waiting: { readonly look: () => void; readonly reject: (error: unknown) => void }[] = [];
  #failure: { readonly error: unknown } | undefined;

  /** Resolves once `condition` holds: at once, or after a change. @throws what `fail` was called with. */
  async until(condition: () => boolean): Promise<void> {
    for (;;) {
      if (this.#failure) throw this.#failure.error;
      if (condition()) return;
      await new Promise<void>((resolve, reject) => this.#waiting.push({ look: resolve, reject }));
    }
  }

  changed(): void {
    for (const waiter of this.#waiting.splice(0)) waiter.look();
  }

  /** Idempotent: the first failure counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    const failure = this.#failure;
    for (const waiter of this.#waiting.splice(0)) waiter.reject(failure.error);
  }
}
