/** Where everything of one demo lies, and what its parts share. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/core/clock.ts';
import { systemCode } from '../../src/core/errors.ts';
import { formatSize } from '../../src/core/units.ts';
import type { Processes } from './processes.ts';
import type { Steps } from './steps.ts';

export interface World {
  /** The project. */
  readonly root: string;
  readonly folders: Folders;
  readonly clock: Clock;
  readonly processes: Processes;
  readonly steps: Steps;
  /** Aborts with Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface Folders {
  readonly top: string;
  /** Everything the machine has: what burns. */
  readonly machine: string;
  /** The datastore as it was before the fire, moved to where only the comparison looks. */
  readonly original: string;
  /** The disk of another machine, on which the simulated Sia gateway runs. */
  readonly gateway: string;
  readonly logs: string;
  /** Where the recovery begins: empty. */
  readonly nowhere: string;
}

const neededBytes = 2 * 2 ** 30;

/** What is wrong with the place, for a person. */
export class DemoError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** A new temporary folder, or `given`, which must be empty or missing. @throws DemoError */
export function makeFolders(given: string | undefined): Folders {
  const top = given ?? mkdtempSync(join(tmpdir(), 'nestegg-demo-'));
  mkdirSync(top, { recursive: true, mode: 0o700 });
  try {
    requireRoom(top);
  } catch (error) {
    if (given === undefined) rmSync(top, { recursive: true });
    throw error;
  }
  const below = (name: string): string => join(top, name);
  const folders = {
    top,
    machine: below('machine'),
    original: below('original-datastore'),
    gateway: below('sia-gateway'),
    logs: below('logs'),
    nowhere: below('empty'),
  };
  for (const folder of [folders.logs, folders.nowhere, folders.gateway]) mkdirSync(folder);
  return folders;
}

function requireRoom(top: string): void {
  if (readdirSync(top).length > 0)
    throw new DemoError(`${top} is not empty`, 'Name a folder that is empty or missing.');
  const { bavail, bsize } = statfsSync(top);
  if (bavail * bsize < neededBytes) {
    const room = `${formatSize(bavail * bsize)} are free in ${top}, and the demo needs ${formatSize(neededBytes)}`;
    throw new DemoError(room, 'Name another place: npm run demo -- --folder DIR');
  }
}

export function removeFolders({ top }: Folders): void {
  try {
    rmSync(top, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  } catch (error) {
    process.stderr.write(`${top} could not be removed: ${systemCode(error) ?? String(error)}\n`);
  }
}

/** For programs of the demo: nothing of the user's environment but where programs are. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LANG: 'C.UTF-8', TZ: process.env['TZ'] };
}
