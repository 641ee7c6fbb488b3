/**
 * A bounded queue between one or more producers and consumers. The bound is in units chosen by the caller, usually
 * bytes: `push` waits while `weight` does not fit, except that one item always fits an empty channel.
 */
export class Channel<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #items: { readonly item: T; readonly weight: number }[] = [];
  readonly #readers: {
    readonly give: (result: IteratorResult<T, undefined>) => void;
    readonly fail: (error: unknown) => void;
  }[] = [];
  readonly #writers: (() => void)[] = [];
  #weight = 0;
  #closed = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves when the item was taken into the queue. @throws the error given to `fail`; TypeError after `close`. */
  async push(item: T, weight = 1): Promise<void> {
    while (!this.#closed && this.#weight > 0 && this.#weight + weight > this.#capacity) {
      await new Promise<void>((resolve) => this.#writers.push(resolve));
    }
    if (this.#failure) throw this.#failure.error;
    if (this.#closed) throw new TypeError('the channel is closed');
    const reader = this.#readers.shift();
    if (reader) {
      reader.give({ done: false, value: item });
      return;
    }
    this.#items.push({ item, weight });
    this.#weight += weight;
  }

  /** No more items; consumers end after the last one. */
  close(): void {
    this.#closed = true;
    this.#wakeAll();
  }

  /** Consumers and producers get `error`; waiting items are dropped. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#items.length = 0;
    this.#weight = 0;
    this.close();
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    const head = this.#items.shift();
    if (head) {
      this.#weight -= head.weight;
      for (const wake of this.#writers.splice(0)) wake();
      return { done: false, value: head.item };
    }
    if (this.#failure) throw this.#failure.error;
    if (this.#closed) return { done: true, value: undefined };
    return new Promise((give, fail) => this.#readers.push({ give, fail }));
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return { next: () => this.#next() };
  }

  #wakeAll(): void {
    for (const wake of this.#writers.splice(0)) wake();
    for (const reader of this.#readers.splice(0)) {
      if (this.#failure) reader.fail(this.#failure.error);
      else reader.give({ done: true, value: undefined });
    }
  }
}
