/** What codecs ask of the keys of a repository. */
import type { RepositoryId } from '../../core/ids.ts';
import type { SealingKey } from '../crypto/sealed-box.ts';

export type SealingPurpose = 'blob' | 'directory' | 'index' | 'entry' | 'checkpoint' | 'list' | 'wrapped root';

export interface PackKeys {
  readonly repositoryId: RepositoryId;
  /** The one epoch that seals. */
  readonly newestEpoch: number;
  /** @throws CorruptionError (`repository.foreign`) for an epoch newer than these keys. */
  sealingKey(purpose: SealingPurpose, epoch: number): SealingKey;
}
