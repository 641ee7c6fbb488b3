import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { fromHex } from '../../core/bytes.ts';
import type { Logger } from '../../core/logger.ts';
import type { OsLocks } from '../../core/os-lock.ts';
import type { Random } from '../../core/random.ts';
import type { CompressionLevel } from '../format/blob.ts';
import { loadFormat } from '../format/load.ts';
import { RepositoryKeys } from '../format/keys.ts';
import { encodeRecoveryCode } from '../format/recovery-code.ts';
import type { Secret } from '../../core/secret.ts';
import type { Storage } from '../storage/storage.ts';
import { headsMemory, noMemory } from './memory-of-heads.ts';
import { OpenRepository } from './open-repository.ts';
import { unlock, type Credential, type Unlocked } from './unlock.ts';

export interface OpenOptions {
  readonly name: string;
  readonly storage: Storage;
  readonly credential: Credential;
  /** Where this installation remembers what it saw of repositories; `undefined`: nowhere, as in a recovery. */
  readonly stateDirectory: string | undefined;
  readonly locks: OsLocks | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Default: what suits the store. */
  readonly packBytes?: number | undefined;
  readonly compression?: CompressionLevel | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface OpenedRepository {
  readonly repository: OpenRepository;
  /** To open it again without the password; see `Unlocked`. */
  readonly unlocked: Unlocked;
}

/**
 * Unlocks and opens a repository. The state of a repository lies in `<state>/repositories/<id>`, its disposable cache in
 * `<state>/cache/<id>`. @throws NesteggError, StorageError
 */
export async function openRepository(options: OpenOptions): Promise<OpenedRepository> {
  const { name, storage, locks, clock, random, logger, stateDirectory, signal } = options;
  await loadFormat();
  const unlocked = await unlock(storage, options.credential, signal);
  const keys = RepositoryKeys.import(unlocked.keys);
  const state = stateDirectory && join(stateDirectory, 'repositories', keys.repositoryId);
  const repository = await OpenRepository.open(
    {
      name,
      storage,
      keys,
      owner: unlocked.owner,
      memory: state === undefined ? noMemory : headsMemory(state, random),
      stateDirectory: state,
      cacheDirectory: stateDirectory && join(stateDirectory, 'cache', keys.repositoryId),
      locks,
      clock,
      random,
      logger: logger.with({ repository: name }),
      packBytes: options.packBytes ?? storage.capabilities.packBytes,
      compression: options.compression ?? 'auto',
    },
    signal,
  );
  return { repository, unlocked };
}

/** The printed code of the newest root: with the bucket, all that a recovery needs. */
export function recoveryCodeOf(unlocked: Unlocked): Secret {
  const { repositoryId: repository, roots } = unlocked.keys;
  const root = roots.at(-1) ?? fromHex('');
  return encodeRecoveryCode({ repository, epoch: roots.length - 1, root });
}
