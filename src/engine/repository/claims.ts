import type { BlobId } from '../../core/ids.ts';
import { IdTable } from './id-table.ts';
import type { ClaimResult } from './repository.ts';

/** Stored: from then on the tables say whether it is known, also when its pack dies. */
const settled = 0;
const claimed = 1;
const failed = 2;

/** Blobs that a session has on their way, and those it gave up. */
export class Claims {
  #table = new IdTable(1);

  claim(id: BlobId): Exclude<ClaimResult, 'known'> {
    const index = this.#table.put(id);
    const status = this.#table.value(index, 0);
    if (status !== settled) return status === failed ? 'failed' : 'claimed';
    this.#table.setValue(index, 0, claimed);
    return 'new';
  }

  fail(id: BlobId): void {
    this.#table.setValue(this.#table.put(id), 0, failed);
  }

  /** Its pack is confirmed by the store. */
  settle(id: BlobId): void {
    const index = this.#table.find(id);
    if (index >= 0) this.#table.setValue(index, 0, settled);
  }

  /** Gives back the memory of what is settled, so that a long run does not grow without end. */
  forgetSettled(): void {
    const kept = new IdTable(1);
    for (const index of this.#table.indexes()) {
      const status = this.#table.value(index, 0);
      if (status !== settled) kept.setValue(kept.put(this.#table.idAt(index)), 0, status);
    }
    this.#table = kept;
  }
}
