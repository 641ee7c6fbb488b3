import { join } from 'node:path';
import { fromHex, toHex } from '../../core/bytes.ts';
import { BinaryWriter } from '../../core/binary.ts';
import type { Clock } from '../../core/clock.ts';
import { readIfPresent, writeDurably } from '../../core/durable-file.ts';
import { packId, type PackId } from '../../core/ids.ts';
import type { Random } from '../../core/random.ts';
import { parseObjectName } from '../format/names.ts';
import type { Storage } from '../storage/storage.ts';

/** How old a complete listing may be for its packs to count as present. */
export const listingMaxAgeMs = 24 * 3_600_000;

/** The packs that a complete listing showed. */
export interface PackListing {
  readonly takenMs: number;
  /** Grows by what this process stores itself. */
  readonly packs: Set<PackId>;
}

export interface ListingPlace {
  readonly directory: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
}

/** Lists every pack, and keeps the result for other processes of this machine. @throws StorageError; then nothing is kept. */
export async function takeListing(storage: Storage, place: ListingPlace, signal?: AbortSignal): Promise<PackListing> {
  const takenMs = place.clock.now();
  const packs = new Set<PackId>();
  for await (const { name } of storage.list('packs/', { signal })) {
    const object = parseObjectName(name);
    if (object?.type === 'pack') packs.add(object.id);
  }
  const listing = { takenMs, packs };
  await keepListing(listing, place);
  return listing;
}

/** The kept listing, if it is young enough and whole. */
export async function keptListing({ directory, clock }: ListingPlace): Promise<PackListing | undefined> {
  if (directory === undefined) return undefined;
  const bytes = await readIfPresent(join(directory, 'packs.listing'));
  if (!bytes || bytes.length < 8 || (bytes.length - 8) % 32 !== 0) return undefined;
  const takenMs = Number(bytes.readBigUInt64LE(0));
  const age = clock.now() - takenMs;
  if (age < 0 || age > listingMaxAgeMs) return undefined;
  const packs = new Set<PackId>();
  for (let at = 8; at < bytes.length; at += 32) packs.add(packId(toHex(bytes.subarray(at, at + 32))));
  return { takenMs, packs };
}

/** Keeps a listing; with packs that this machine has stored since, its time stays that of the real listing. */
export async function keepListing(listing: PackListing, { directory, random }: ListingPlace): Promise<void> {
  if (directory === undefined) return;
  const writer = new BinaryWriter(8 + listing.packs.size * 32).u64(listing.takenMs);
  for (const pack of listing.packs) writer.raw(fromHex(pack));
  await writeDurably(join(directory, 'packs.listing'), writer.finish(), random);
}
