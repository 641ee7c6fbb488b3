/** The datastores that are measured, and the disk under them. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { addSnapshot, generateDatastore } from '../test/support/datastore/generator.ts';
import type { DiskPlan, MachinePlan } from '../test/support/datastore/plan.ts';

export const seed = 'nestegg bench';

/** A VM whose disk changes by `changed` with each snapshot that is added. */
export function machineOf(disk: Omit<DiskPlan, 'name' | 'changed'>, changed = 0): MachinePlan {
  return { type: 'vm', id: '900', snapshots: 1, disks: [{ name: 'drive-scsi0', ...disk, changed }] };
}

export interface ImageDatastore {
  readonly path: string;
  /** One more snapshot, in which `changed` of the chunks are new. @returns how many those are. */
  add(changed: number): Promise<void>;
}

/** A datastore with one image of made-up chunks. */
export async function makeImage(path: string, disk: Omit<DiskPlan, 'name' | 'changed'>): Promise<ImageDatastore> {
  await generateDatastore(path, { seed, machines: [machineOf(disk)] });
  let snapshots = 1;
  const add = async (changed: number): Promise<void> => {
    await addSnapshot(path, seed, machineOf(disk, changed), snapshots);
    snapshots += 1;
  };
  return { path, add };
}

/** Realistic data in chunks of 4 MiB: a quarter empty, half compressible, a quarter not. */
export class LargeDatastore {
  readonly #path: string;
  readonly #megabytes: number;
  #made: Promise<string> | undefined;

  constructor(path: string, megabytes: number) {
    this.#path = path;
    this.#megabytes = megabytes;
  }

  /** @returns its path. */
  path(): Promise<string> {
    this.#made ??= this.#make();
    return this.#made;
  }

  async #make(): Promise<string> {
    await makeImage(this.#path, { sizeBytes: this.#megabytes * 2 ** 20 });
    return this.#path;
  }
}

/** While `work` runs the datastore has no chunk: whoever opens one finds nothing. */
export async function withoutChunks<T>(datastore: string, work: () => Promise<T>): Promise<T> {
  const chunks = join(datastore, '.chunks');
  const away = join(datastore, '.chunks-away');
  renameSync(chunks, away);
  mkdirSync(chunks);
  try {
    return await work();
  } finally {
    rmdirSync(chunks);
    renameSync(away, chunks);
  }
}

/** Nothing that was written before is still to be written, so that it does not slow what comes next. */
export function settleDisk(cold: boolean): void {
  execFileSync('sync');
  if (cold) writeFileSync(dropCaches, '3\n');
}

const dropCaches = '/proc/sys/vm/drop_caches';

export function canDropCaches(): boolean {
  try {
    accessSync(dropCaches, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export function remove(...paths: readonly string[]): void {
  for (const path of paths) rmSync(path, { recursive: true, force: true });
}
