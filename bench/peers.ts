/** What we are compared with: Debian's restic, and a plain copy. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Restic, World } from './bench.ts';
import { remove, settleDisk } from './datastores.ts';
import { measure, type Usage } from './measured-process.ts';

/** restic, installed from Debian when this is root and it is missing. */
export function findRestic(say: (text: string) => void): Restic | undefined {
  const found = resticVersion();
  if (found !== undefined || process.getuid?.() !== 0) return found;
  say('installing restic (apt-get)');
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('apt-get', ['install', '-y', '-qq', 'restic'], { env: environment, stdio: 'ignore' });
  return resticVersion();
}

function resticVersion(): Restic | undefined {
  const { status, stdout } = spawnSync('restic', ['version'], { encoding: 'utf8' });
  return status === 0 ? { version: stdout.trim() } : undefined;
}

/** One repository of restic in a folder. */
export class ResticRepository {
  readonly #world: World;
  readonly #folder: string;

  private constructor(world: World, name: string) {
    this.#world = world;
    this.#folder = join(world.folder, name);
  }

  /** Undefined without restic. */
  static async init(world: World, name: string): Promise<ResticRepository | undefined> {
    if (world.restic === undefined) return undefined;
    const repository = new ResticRepository(world, name);
    await repository.#restic(['init']);
    return repository;
  }

  backUp(datastore: string): Promise<Usage> {
    settleDisk(this.#world.cold);
    return this.#restic(['backup', '--quiet', datastore]);
  }

  remove(): void {
    remove(this.#folder);
  }

  #restic(args: readonly string[]): Promise<Usage> {
    const environment = {
      RESTIC_REPOSITORY: join(this.#folder, 'repository'),
      RESTIC_CACHE_DIR: join(this.#folder, 'cache'),
      RESTIC_PASSWORD: 'measured, not secret',
    };
    return measure({ file: 'restic', args, environment }, this.#world.clock, this.#world.signal);
  }
}

/** `cp -r` of all chunk files, and `sync`: as long as it takes until they are on the disk. */
export async function copyChunks(world: World, datastore: string, name: string): Promise<Usage> {
  const target = join(world.folder, name);
  settleDisk(world.cold);
  const script = 'cp -r "$1" "$2" && sync';
  const args = ['-c', script, 'copy', join(datastore, '.chunks'), target];
  const usage = await measure({ file: 'sh', args }, world.clock, world.signal);
  remove(target);
  return usage;
}

/** Bytes of all files below, as `du` counts them. */
export function bytesBelow(path: string): number {
  const output = execFileSync('du', ['--bytes', '--summarize', path], { encoding: 'utf8' });
  return Number(output.split('\t')[0]);
}
