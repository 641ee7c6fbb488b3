import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/core/clock.ts';
import { CancelledError, messageOf, UsageError } from '../src/core/errors.ts';
import { formatDuration, formatSize } from '../src/core/units.ts';
import { sizes, type Figure, type Size, type World } from './bench.ts';
import { canDropCaches, LargeDatastore } from './datastores.ts';
import { describeMachine, loadText } from './machine.ts';
import { measurements } from './measurements/registry.ts';
import { findRestic } from './peers.ts';
import { tableOf } from './report.ts';

export interface BenchOptions {
  readonly size: Size['name'];
  /** Names of measurements; none: all. */
  readonly only: readonly string[];
  /** Empty or missing; kept then, but what is in it is removed. Undefined: a temporary one. */
  readonly folder: string | undefined;
  /** The built program. */
  readonly program: string;
  readonly cold: boolean;
  readonly profiles: string | undefined;
}

export const measurementNames: readonly string[] = measurements.map(({ name }) => name);

/** Answers the exit code: 0 whatever was measured; 1 when a measurement broke, or in CI when a peer is missing. */
export async function runBench(options: BenchOptions): Promise<number> {
  const line = (text = ''): void => void process.stdout.write(`${text}\n`);
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort(new CancelledError()));
  let folder: string | undefined;
  try {
    folder = makeFolder(options);
    const world = makeWorld(options, folder, stop.signal, (text) => line(`  … ${text}`));
    return await measureAll(world, options.only, line);
  } catch (error) {
    if (stop.signal.aborted) return 130;
    line(error instanceof UsageError ? `${error.message}\n  hint: ${error.hint ?? ''}` : messageOf(error));
    return 1;
  } finally {
    if (folder !== undefined) clean(folder, options.folder !== undefined);
  }
}

function makeWorld(options: BenchOptions, folder: string, signal: AbortSignal, say: World['say']): World {
  if (options.cold && !canDropCaches()) throw new UsageError('--cold needs the right to drop the page cache (root)');
  if (!existsSync(join(options.program, 'cli/main.js'))) {
    throw new UsageError(`${options.program} holds no build`, { hint: 'npm run build' });
  }
  const size = sizes[options.size];
  const { program, cold, profiles } = options;
  const large = new LargeDatastore(join(folder, 'large-datastore'), size.largeMegabytes);
  return { size, folder, program, restic: findRestic(say), large, cold, profiles, clock: systemClock, signal, say };
}

async function measureAll(world: World, only: readonly string[], line: (text?: string) => void): Promise<number> {
  const { clock, size, restic, cold } = world;
  const started = clock.monotonic();
  const head = [
    ...describeMachine(world.folder, size.name === 'full' ? 2 ** 30 : 2 ** 27, clock),
    `peer      ${restic?.version ?? 'SKIPPED: restic is not installed, and this is not root, who could install it'}`,
    `cache     ${cold ? 'dropped before each run' : 'warm: what was just written is still in memory, for us and for the peers'}`,
    `size      ${size.name}`,
  ];
  for (const text of head) line(text);
  const figures: Figure[] = [];
  for (const measurement of measurements) {
    if (only.length > 0 && !only.includes(measurement.name)) continue;
    line(`\n${measurement.title} (${measurement.name})`);
    figures.push(...(await measurement.run(world)));
  }
  line(`\nMeasured in ${formatDuration(clock.monotonic() - started)}; load ${loadText()} at the end.\n`);
  for (const text of tableOf(figures)) line(text);
  if (restic !== undefined) return 0;
  line('\nSKIPPED: everything that is compared with restic. Install it (Debian: apt-get install restic).');
  return process.env['CI'] === undefined ? 0 : 1;
}

function makeFolder({ folder: given, size }: BenchOptions): string {
  const folder = given ?? mkdtempSync(join(tmpdir(), 'nestegg-bench-'));
  mkdirSync(folder, { recursive: true });
  const { neededBytes } = sizes[size];
  const { bavail, bsize } = statfsSync(folder);
  const hint = 'Name another place: npm run bench -- --folder DIR';
  if (readdirSync(folder).length > 0) throw new UsageError(`${folder} is not empty`, { hint });
  if (bavail * bsize < neededBytes) {
    if (given === undefined) rmSync(folder, { recursive: true });
    const room = `${formatSize(bavail * bsize)} are free in ${folder}, and ${formatSize(neededBytes)} are needed`;
    throw new UsageError(room, { hint });
  }
  return folder;
}

function clean(folder: string, keepFolder: boolean): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  if (!keepFolder) rmSync(folder, { recursive: true });
}
