import { NesteggError } from '../../core/errors.ts';
import { toHex } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { repositoryId, writerId, type RepositoryId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import type { Secret } from '../../core/secret.ts';
import { argon2Defaults } from '../crypto/argon2.ts';
import { generateSeed, publicKeyOf } from '../crypto/ed25519.ts';
import { encodeEntry } from '../format/entry.ts';
import { encodeHint } from '../format/hint.ts';
import { createKeySlot, type SlotSecrets } from '../format/key-slot.ts';
import { RepositoryKeys } from '../format/keys.ts';
import { hintName } from '../format/names.ts';
import { encodeRecoveryCode } from '../format/recovery-code.ts';
import { createRootSlot } from '../format/root-slot.ts';
import type { Storage } from '../storage/storage.ts';
import type { Unlocked } from './unlock.ts';

export interface InitOptions {
  readonly storage: Storage;
  readonly password: Secret;
  /** Of an existing repository of the family; a new family gets a new one. */
  readonly chunker?: SlotSecrets['chunker'] | undefined;
  readonly cost?: { readonly memoryKiB: number; readonly passes: number; readonly lanes: number };
  readonly clock: Clock;
  readonly random: Random;
  readonly signal?: AbortSignal | undefined;
}

export interface NewRepository {
  readonly id: RepositoryId;
  readonly recoveryCode: Secret;
  readonly unlocked: Unlocked;
}

/**
 * Creates a repository where nothing is. What was written is read back, and the location listed again, so that two inits at once, or a
 * store that lies, are noticed before the first backup. Objects below `probe/` do not count.
 * @throws NesteggError `repository.exists`; StorageError
 */
export async function initRepository(options: InitOptions): Promise<NewRepository> {
  const { storage, password, clock, random, signal } = options;
  await requireEmpty(storage, signal);
  const id = repositoryId(toHex(random.bytes(16)));
  const root = random.bytes(32);
  const ownerSeed = generateSeed(random);
  const chunker = options.chunker ?? { id: random.bytes(16), secret: random.bytes(32) };
  const features = { read: [], write: [], maintain: [] };
  const keys = RepositoryKeys.derive(id, [root]);
  const content = { owner: publicKeyOf(ownerSeed), chunker, features };
  const slot = { repository: id, epoch: 0, password, cost: options.cost ?? argon2Defaults, random };
  const body = {
    kind: 'features',
    timeMs: clock.now(),
    base: { checkpoint: null, heads: [] },
    siblings: [],
    ...features,
  } as const;
  const objects = [
    await createKeySlot({ ...slot, type: 'password', secrets: { root, ...content } }),
    await createKeySlot({ ...slot, type: 'owner', secrets: { ownerSeed } }),
    createRootSlot({ repository: id, epoch: 0, root, content, random }),
    encodeEntry({ keys, seed: ownerSeed, sequence: 1, previous: null, body, random }),
    // Last: without the hint the location does not count as a repository.
    { name: hintName, bytes: encodeHint({ repository: id }) },
  ];
  for (const { name, bytes } of objects) await storage.put(name, bytes, { signal });
  await storage.barrier(
    objects.map(({ name }) => name),
    { signal },
  );
  await clock.sleep(storage.capabilities.visibilityBoundMs ?? 0, { signal });
  await readBack(storage, objects, signal);
  const owner = writerId(toHex(publicKeyOf(ownerSeed)));
  return {
    id,
    recoveryCode: encodeRecoveryCode({ repository: id, epoch: 0, root }),
    unlocked: { keys: keys.export(), owner, chunker },
  };
}

async function requireEmpty(storage: Storage, signal: AbortSignal | undefined): Promise<void> {
  for await (const { name } of storage.list('', { signal })) {
    if (name.startsWith('probe/')) continue;
    throw new NesteggError('repository.exists', `${storage.location} is not empty: it holds ${name}`, {
      hint:
        name === hintName
          ? 'There is a repository already: use it, or choose another prefix.'
          : 'Choose an empty folder or prefix. If an earlier init was interrupted, remove what it left.',
    });
  }
}

async function readBack(
  storage: Storage,
  objects: readonly { readonly name: string; readonly bytes: Uint8Array }[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const listed = new Set<string>();
  for await (const { name } of storage.list('', { signal })) if (!name.startsWith('probe/')) listed.add(name);
  for (const { name, bytes } of objects) {
    const stored = Buffer.from(await storage.get(name, { signal }));
    if (!stored.equals(bytes) || !listed.delete(name)) {
      throw new NesteggError('storage.unsupported', `${storage.location} does not show ${name} as it was stored`, {
        hint: 'Do not trust this store with a backup. `nestegg repository probe` tells what else it does wrong.',
      });
    }
  }
  const [foreign] = listed;
  if (foreign !== undefined) {
    throw new NesteggError(
      'repository.exists',
      `somebody else wrote ${foreign} to ${storage.location} at the same time`,
      {
        hint: 'Two repositories must not share a location: empty it and init once.',
      },
    );
  }
}
