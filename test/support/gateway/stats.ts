/** Requests seen by the gateway, by operation: `PutObject`, `HeadObject`, or `GET /api/bus/...` for the admin API. */
export class Stats {
  readonly #counts = new Map<string, number>();
  bytesIn = 0;
  bytesOut = 0;

  note(operation: string): void {
    this.#counts.set(operation, this.count(operation) + 1);
  }

  count(operation: string): number {
    return this.#counts.get(operation) ?? 0;
  }

  /** Of S3 operations, or of everything whose name starts with `prefix`. */
  total(prefix = ''): number {
    let sum = 0;
    for (const [operation, count] of this.#counts) if (operation.startsWith(prefix)) sum += count;
    return sum;
  }

  /** A plain copy, for messages and comparisons. */
  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  reset(): void {
    this.#counts.clear();
    this.bytesIn = 0;
    this.bytesOut = 0;
  }
}
