/**
 * The byte budget of all packs, shared by the workers and the main thread through one piece of shared memory.
 *
 * A worker takes the bytes of a pack before it opens one and blocks until they are there; the main thread gives them
 * back when the pack was uploaded or given up. A repository that failed is marked here too, so that a worker which
 * waits for its credit, or works on a long batch, learns of it without reading a message.
 */

/** Units of the counter: a 32-bit integer of bytes would end at 2 GiB. */
const unitBytes = 1024;

const freeAt = 0;
const stopAt = 1;
const droppedAt = 2;

function creditUnits(bytes: number): number {
  return Math.ceil(bytes / unitBytes);
}

export class PackCredit {
  /** What other threads construct their own view from. */
  readonly memory: SharedArrayBuffer;
  readonly #cells: Int32Array;

  private constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#cells = new Int32Array(memory);
  }

  static create(budgetBytes: number, repositories: number): PackCredit {
    const credit = new PackCredit(new SharedArrayBuffer((droppedAt + repositories) * Int32Array.BYTES_PER_ELEMENT));
    Atomics.store(credit.#cells, freeAt, Math.floor(budgetBytes / unitBytes));
    return credit;
  }

  static view(memory: SharedArrayBuffer): PackCredit {
    return new PackCredit(memory);
  }

  get freeBytes(): number {
    return Atomics.load(this.#cells, freeAt) * unitBytes;
  }

  /**
   * Takes the bytes, waiting as long as needed; false when the repository was dropped or everything stops. Blocks the
   * thread: for workers only.
   */
  take(bytes: number, repository: number): boolean {
    const wanted = creditUnits(bytes);
    while (!this.isDropped(repository) && !this.isStopped()) {
      const free = Atomics.load(this.#cells, freeAt);
      if (free < wanted) {
        Atomics.wait(this.#cells, freeAt, free);
      } else if (Atomics.compareExchange(this.#cells, freeAt, free, free - wanted) === free) {
        return true;
      }
    }
    return false;
  }

  give(bytes: number): void {
    Atomics.add(this.#cells, freeAt, creditUnits(bytes));
    Atomics.notify(this.#cells, freeAt);
  }

  /** From now on no worker seals anything for this repository. */
  drop(repository: number): void {
    Atomics.store(this.#cells, droppedAt + repository, 1);
    Atomics.notify(this.#cells, freeAt);
  }

  isDropped(repository: number): boolean {
    return Atomics.load(this.#cells, droppedAt + repository) !== 0;
  }

  /** All workers end after the chunk they are at. */
  stop(): void {
    Atomics.store(this.#cells, stopAt, 1);
    Atomics.notify(this.#cells, freeAt);
  }

  isStopped(): boolean {
    return Atomics.load(this.#cells, stopAt) !== 0;
  }
}
