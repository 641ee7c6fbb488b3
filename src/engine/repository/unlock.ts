import { CorruptionError, NesteggError, NotFoundError, StorageError } from '../../core/errors.ts';
import { toHex } from '../../core/bytes.ts';
import { writerId, type RepositoryId, type WriterId } from '../../core/ids.ts';
import type { Secret } from '../../core/secret.ts';
import { decodeHint } from '../format/hint.ts';
import { decodeKeySlot, isSlotOf, openKeySlot, type KeySlot, type SlotSecrets } from '../format/key-slot.ts';
import { RepositoryKeys, type ExportedKeys } from '../format/keys.ts';
import { hintName, parseObjectName, prefixes } from '../format/names.ts';
import { decodeRecoveryCode } from '../format/recovery-code.ts';
import { openRootSlot } from '../format/root-slot.ts';
import { unwrapRoot } from '../format/wrapped-root.ts';
import type { Storage } from '../storage/storage.ts';
import { isLoss } from './loss.ts';

export type Credential =
  | { readonly type: 'password'; readonly password: Secret }
  | { readonly type: 'recovery-code'; readonly code: Secret }
  /** Unlocked before, by another process of this installation. */
  | { readonly type: 'unlocked'; readonly unlocked: Unlocked };

/** Plain values, to be handed to a process of ours over IPC; never to be stored or logged. */
export interface Unlocked {
  readonly keys: ExportedKeys;
  /** Unknown when nothing but a recovery code was there: then no entry that governs counts. */
  readonly owner: WriterId | undefined;
  readonly chunker: { readonly id: Uint8Array; readonly secret: Uint8Array } | undefined;
}

/** Slots tried with one password: each costs a deliberate half second and 256 MiB. */
const mostSlots = 16;

/**
 * Turns a password or a recovery code into keys. Foreign, newer and damaged slots are passed over.
 * @throws NesteggError `repository.missing`, `repository.password`; StorageError
 */
export async function unlock(storage: Storage, credential: Credential, signal?: AbortSignal): Promise<Unlocked> {
  switch (credential.type) {
    case 'unlocked':
      return credential.unlocked;
    case 'password':
      return unlockByPassword(storage, credential.password, signal);
    case 'recovery-code':
      return unlockByCode(storage, credential.code, signal);
  }
}

/** The repository id that the hint names, or `undefined` when the hint is damaged or lost among other objects. @throws NesteggError `repository.missing` */
export async function readHint(storage: Storage, signal?: AbortSignal): Promise<RepositoryId | undefined> {
  try {
    return decodeHint(await storage.get(hintName, { signal })).repository;
  } catch (error) {
    if (error instanceof CorruptionError) return undefined;
    if (!(error instanceof StorageError) || error.code !== 'storage.not-found') throw error;
    for await (const { name } of storage.list('', { signal })) if (!name.startsWith('probe/')) return undefined;
    throw new NotFoundError(`there is no repository at ${storage.location}`, {
      code: 'repository.missing',
      cause: error,
      hint: 'Check the location and the prefix, or create it with `nestegg repository init`.',
    });
  }
}

async function unlockByPassword(
  storage: Storage,
  password: Secret,
  signal: AbortSignal | undefined,
): Promise<Unlocked> {
  const hinted = await readHint(storage, signal);
  const slots = (await readSlots(storage, signal)).filter((slot) => isSlotOf(slot, 'password'));
  const inOrder = slots.toSorted((a, b) => Number(b.repository === hinted) - Number(a.repository === hinted));
  for (const slot of inOrder.slice(0, mostSlots)) {
    const secrets = await tryOpen(() => openKeySlot(slot, password));
    if (secrets) return fromSlot(storage, slot.repository, slot.epoch, secrets, signal);
  }
  throw new NesteggError('repository.password', `the password opens no key slot of ${storage.location}`, {
    hint: 'Check the password, or use the recovery code (`nestegg recover`).',
    context: { slots: slots.length },
  });
}

async function unlockByCode(storage: Storage, code: Secret, signal: AbortSignal | undefined): Promise<Unlocked> {
  const { repository, epoch, root } = decodeRecoveryCode(code);
  const hinted = await readHint(storage, signal);
  if (hinted !== undefined && hinted !== repository) {
    throw new NesteggError(
      'repository.password',
      `the recovery code belongs to repository ${repository}, not to ${hinted}`,
      {
        hint: 'Use the code that was printed for this repository.',
      },
    );
  }
  const secrets = await readRootSlot(storage, repository, epoch, root, signal);
  const roots = await allRoots(storage, repository, epoch, root, signal);
  return {
    keys: RepositoryKeys.derive(repository, roots).export(),
    owner: secrets && writerId(toHex(secrets.owner)),
    chunker: secrets?.chunker,
  };
}

async function fromSlot(
  storage: Storage,
  repository: RepositoryId,
  epoch: number,
  secrets: SlotSecrets,
  signal: AbortSignal | undefined,
): Promise<Unlocked> {
  const roots = await allRoots(storage, repository, epoch, secrets.root, signal);
  return {
    keys: RepositoryKeys.derive(repository, roots).export(),
    owner: writerId(toHex(secrets.owner)),
    chunker: secrets.chunker,
  };
}

/** Every slot that is well-formed and of a type that this program knows. */
export async function readSlots(storage: Storage, signal?: AbortSignal): Promise<readonly KeySlot[]> {
  const names: string[] = [];
  for await (const { name } of storage.list(prefixes.keys, { signal })) {
    if (parseObjectName(name)?.type === 'key-slot') names.push(name);
  }
  const read = await Promise.all(
    names.map(async (name) => {
      return tryOpen(async () => decodeKeySlot(name, await storage.get(name, { signal })));
    }),
  );
  return read.filter((slot) => slot !== undefined);
}

async function readRootSlot(
  storage: Storage,
  repository: RepositoryId,
  epoch: number,
  root: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Omit<SlotSecrets, 'root'> | undefined> {
  for await (const { name } of storage.list(prefixes.keys, { signal })) {
    if (parseObjectName(name)?.type !== 'key-slot') continue;
    const secrets = await tryOpen(async () => {
      const bytes = await storage.get(name, { signal });
      return openRootSlot({ name, bytes, repository, epoch, root });
    });
    if (secrets) return secrets;
  }
  return undefined;
}

/** Root 0 to the given newest one, each unwrapped with the next. */
async function allRoots(
  storage: Storage,
  repository: RepositoryId,
  newest: number,
  root: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<readonly Uint8Array[]> {
  const roots = [root];
  for (let epoch = newest - 1; epoch >= 0; epoch -= 1) {
    const next = roots[0] ?? root;
    const wrapped = `${prefixes.keys}epoch-${epoch.toString(16).padStart(8, '0')}.`;
    let found: Uint8Array | undefined;
    for await (const { name } of storage.list(wrapped, { signal })) {
      found ??= await tryOpen(async () => {
        const bytes = await storage.get(name, { signal });
        return unwrapRoot({ repository, epoch, next, bytes });
      });
    }
    if (!found) {
      throw new CorruptionError(`the wrapped root of key epoch ${String(epoch)} is missing or damaged`, {
        hint: 'Use a recovery code printed before the keys were changed to read what is older.',
      });
    }
    roots.unshift(found);
  }
  return roots;
}

/** The result, or `undefined` when the slot is lost, damaged, foreign, or of another password. */
async function tryOpen<T>(open: () => Promise<T>): Promise<T | undefined> {
  try {
    return await open();
  } catch (error) {
    if (isLoss(error)) return undefined;
    if (error instanceof NesteggError && error.code === 'repository.password') return undefined;
    throw error;
  }
}
