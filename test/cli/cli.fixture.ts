/** Runs the command line in this process with a world of its own, and a daemon that only answers. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import { systemRandom } from '../../src/core/random.ts';
import { runProgram } from '../../src/cli/program.ts';
import type { World } from '../../src/cli/world.ts';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Place {
  readonly folder: string;
  readonly state: string;
  readonly config: string;
  run(args: readonly string[], world?: Partial<World>): Promise<Ran>;
  remove(): Promise<void>;
}

export const password = 'canary of a password';

export async function makePlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'nestegg-cli-'));
  const state = join(folder, 'state');
  const config = join(folder, 'config.yml');
  await writeFile(join(folder, 'password'), password);
  await writeFile(
    config,
    `device: test
timezone: UTC
daemon: { listen: 127.0.0.1:0, state: ${state} }
repositories:
  nas: { type: filesystem, path: ${join(folder, 'nas')}, password: { file: ${join(folder, 'password')} } }
  disk: { type: filesystem, path: ${join(folder, 'disk')}, password: { file: ${join(folder, 'password')} } }
backups:
  datacenter: { source: { type: pbs, datastore: ${join(folder, 'datastore')} }, repositories: [nas, disk] }
`,
  );
  const run: Place['run'] = async (args, world = {}) => {
    let out = '';
    let err = '';
    const whole: World = {
      env: { NESTEGG_CONFIG: config },
      clock: systemClock,
      random: systemRandom,
      signal: new AbortController().signal,
      stdout: { isTerminal: false, columns: 80, write: (text) => void (out += text) },
      stderr: { isTerminal: false, columns: 80, write: (text) => void (err += text) },
      readInput: () => Promise.resolve(''),
      askSecret: () => Promise.resolve(undefined),
      ...world,
    };
    const code = await runProgram(args, whole, '0.1.0');
    return { code, out, err };
  };
  return { folder, state, config, run, remove: () => rm(folder, { recursive: true }) };
}
