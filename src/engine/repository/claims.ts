import type { BlobId } from '../../core/ids.ts';
import { IdTable } from './id-table.ts';
import type { ClaimResult } from './repository.ts';

const claimed = 1;
const failed = 2;

/** Blobs that a session has on their way, and those it gave up. */
export class Claims {
  #table = new IdTable(1);

  claim(id: BlobId): Exclude<ClaimResult, 'known'> {
    const index = this.#table.find(id);
    if (index >= 0) return this.#table.value(index, 0) === failed ? 'failed' : 'claimed';
    this.#table.setValue(this.#table.put(id), 0, claimed);
    return 'new';
  }

  fail(id: BlobId): void {
    this.#table.setValue(this.#table.put(id), 0, failed);
  }

  /** Drops claims that `isStored` knows by now, so that a long run does not grow without end. */
  forgetStored(isStored: (id: BlobId) => boolean): void {
    const kept = new IdTable(1);
    for (const index of this.#table.indexes()) {
      const id = this.#table.idAt(index);
      const status = this.#table.value(index, 0);
      if (status === failed || !isStored(id)) kept.setValue(kept.put(id), 0, status);
    }
    this.#table = kept;
  }
}
