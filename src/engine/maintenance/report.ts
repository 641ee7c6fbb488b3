/**
 * # Maintenance: verbs that look at a whole repository
 *
 * `check` proves that what the journal promises is there; `rebuild-index` finds packs that no segment lists. A pack is
 * *proven* when its bytes have the digest its name says, its directory opens, and every blob opens to a content with its
 * own identity (`compute/prove-pack.ts`).
 *
 * Invariants: nothing here deletes anything. Loss and damage are findings; a store that fails is an error and ends the
 * verb. Damage that was found is marked in the journal, so that the next backup stores it again.
 *
 * This file: what a finding looks like.
 */
export interface CheckProblem {
  readonly kind: 'history' | 'segment' | 'pack' | 'blob' | 'snapshot';
  /** Name of the object or id of the snapshot. */
  readonly subject: string;
  readonly detail: string;
}
