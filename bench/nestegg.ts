/** Nestegg as it is installed for one measurement: a configuration, a state folder, and repositories in folders. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TaskResult } from '../src/tasks/task.ts';
import type { World } from './bench.ts';
import { remove, settleDisk } from './datastores.ts';
import { measure, type Command, type Usage } from './measured-process.ts';

export interface NesteggOptions {
  readonly datastore: string;
  readonly verify: 'digest' | 'crc';
  readonly repositories?: readonly string[];
}

export interface Run extends Usage {
  readonly result: TaskResult;
}

/** Name of the backup in the configuration. */
export const backupName = 'bench';

export class Nestegg {
  readonly configFile: string;
  readonly state: string;
  readonly #world: World;
  readonly #folder: string;
  readonly #repositories: readonly string[];

  private constructor(world: World, name: string, options: NesteggOptions) {
    this.#world = world;
    this.#folder = join(world.folder, name);
    this.#repositories = options.repositories ?? ['disk'];
    this.configFile = join(this.#folder, 'config.yml');
    this.state = join(this.#folder, 'state');
    mkdirSync(this.#folder);
    writeFileSync(join(this.#folder, 'password'), 'measured, not secret\n', { mode: 0o600 });
    writeFileSync(this.configFile, configText(this.#repositories, options));
  }

  /** Writes the configuration into a folder of that name, and makes the repositories. */
  static async install(world: World, name: string, options: NesteggOptions): Promise<Nestegg> {
    const nestegg = new Nestegg(world, name, options);
    for (const repository of nestegg.#repositories) {
      await nestegg.#measure(['--repository', repository, 'repository', 'init']);
    }
    return nestegg;
  }

  /** Backs up in a process of its own, with all that it takes: start, key derivation, opening, commit. */
  async backUp(): Promise<Run> {
    settleDisk(this.#world.cold);
    const usage = await this.#measure(['--direct', 'run', backupName], this.#world.profiles);
    const lines = usage.output.trimEnd().split('\n');
    const { result } = JSON.parse(lines.at(-1) ?? '{}') as { readonly result?: TaskResult };
    if (result?.state !== 'done') throw new Error(`the backup did not end well: ${JSON.stringify(result)}`);
    return { ...usage, result };
  }

  /** The command line with these arguments. */
  command(args: readonly string[], profiles?: string): Command {
    const profiling = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
    const program = [join(this.#world.program, 'cli/main.js'), '--config', this.configFile, '--json'];
    return { file: process.execPath, args: [...profiling, ...program, ...args] };
  }

  remove(): void {
    remove(this.#folder);
  }

  #measure(args: readonly string[], profiles?: string): Promise<Usage> {
    return measure(this.command(args, profiles), this.#world.clock, this.#world.signal);
  }
}

/** Two threads on two processors: what restic takes too. */
function configText(repositories: readonly string[], { datastore, verify }: NesteggOptions): string {
  const each = repositories.map(
    (name) => `  ${name}: { type: filesystem, path: ${name}, password: { file: password } }\n`,
  );
  return `device: bench
timezone: UTC
daemon: { listen: 127.0.0.1:0, state: state }
repositories:
${each.join('')}backups:
  ${backupName}:
    source: { type: pbs, datastore: ${JSON.stringify(datastore)}, snapshots: all, verify: ${verify} }
    repositories: [${repositories.join(', ')}]
    limits: { threads: 2 }
`;
}
