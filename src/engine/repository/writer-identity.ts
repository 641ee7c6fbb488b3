import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fromHex, toHex } from '../../core/bytes.ts';
import { readIfPresent, writeDurably } from '../../core/durable-file.ts';
import { writerId, type WriterId } from '../../core/ids.ts';
import type { OsLocks } from '../../core/os-lock.ts';
import type { Random } from '../../core/random.ts';
import { generateSeed, publicKeyOf } from '../crypto/ed25519.ts';

/** An Ed25519 key that this process alone may use, until `release`. */
export interface WriterIdentity {
  readonly id: WriterId;
  readonly seed: Uint8Array;
  release(): Promise<void>;
}

export interface IdentityPlace {
  /** State folder of the repository; `undefined`: identities are made for one process and forgotten. */
  readonly directory: string | undefined;
  readonly locks: OsLocks | undefined;
  readonly random: Random;
}

/**
 * Takes a kept identity that no other process holds and that is not among `avoid` (retired, forked or cloned ones), else
 * makes one. The seed is on disk before the identity is used.
 */
export async function takeIdentity(place: IdentityPlace, avoid: ReadonlySet<WriterId>): Promise<WriterIdentity> {
  const { directory, locks, random } = place;
  if (directory === undefined || locks === undefined) return ephemeral(random);
  const folder = join(directory, 'writers');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of (await readdir(folder)).sort()) {
    if (!/^[0-9a-f]{64}\.seed$/.test(name)) continue;
    const id = writerId(name.slice(0, 64));
    if (avoid.has(id)) continue;
    const seed = await readIfPresent(join(folder, name));
    if (seed?.length !== 64) continue;
    const taken = await lockIdentity(folder, locks, id, fromHex(seed.toString()));
    if (taken) return taken;
  }
  const made = ephemeral(random);
  await writeDurably(join(folder, `${made.id}.seed`), toHex(made.seed), random);
  return (await lockIdentity(folder, locks, made.id, made.seed)) ?? made;
}

function ephemeral(random: Random): WriterIdentity {
  const seed = generateSeed(random);
  return { id: writerId(toHex(publicKeyOf(seed))), seed, release: () => Promise.resolve() };
}

async function lockIdentity(
  folder: string,
  locks: OsLocks,
  id: WriterId,
  seed: Uint8Array,
): Promise<WriterIdentity | undefined> {
  const lock = await locks.acquire(join(folder, `${id}.seed`), 'exclusive');
  return lock && { id, seed, release: () => lock.release() };
}
