/** Where scenarios work: folders, locks, and children that are traced and killed. */
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { OsLocks } from '../../src/core/os-lock.ts';
import type { Counts, Moment, TraceOrder } from './moments.ts';

/** What was found wrong after a kill. A *repair* is damage that `check` would have to mend. */
export class Findings {
  readonly losses: string[] = [];
  repairs = 0;

  expect(holds: boolean, otherwise: string): void {
    if (!holds) this.losses.push(otherwise);
  }

  expectSame(what: string, found: unknown, expected: unknown): void {
    const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
    this.expect(a === b, `${what}: ${a.slice(0, 600)} instead of ${b.slice(0, 600)}`);
  }
}

export interface Attempt {
  /** False: the process ended before it reached the moment. */
  readonly killed: boolean;
  readonly findings: Findings;
  /** Everything was restored and compared, byte for byte. */
  readonly restored: boolean;
}

export interface Depth {
  /** Every byte is read and proven, not only the structure. */
  readonly data: boolean;
  /** What is stored is restored and compared. */
  readonly restore: boolean;
}

/** One kind of work that is killed. Attempts run side by side, each in a folder of its own. */
export interface Scenario {
  readonly name: string;
  /** How many moments it can take at a time. */
  readonly parallel: number;
  /** Makes what all attempts begin with, and counts the calls of an undisturbed run. */
  prepare(): Promise<Counts>;
  attempt(moment: Moment, depth: Depth): Promise<Attempt>;
}

export interface ChildEnd {
  readonly killed: boolean;
  /** Lines of its standard output that arrived whole. */
  readonly told: readonly string[];
}

export class Lab {
  readonly folder: string;
  readonly locks: OsLocks;
  readonly seed: string;
  #folders = 0;

  constructor(folder: string, locks: OsLocks, seed: string) {
    this.folder = folder;
    this.locks = locks;
    this.seed = seed;
  }

  /** Runs `use` with a new folder and removes it afterwards. */
  async inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
    const folder = join(this.folder, `attempt-${String((this.#folders += 1))}`);
    await mkdir(folder);
    try {
      return await use(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /**
   * Runs one of our programs (`*-child.fixture`) to its end, traced as ordered. @throws Error when it ends by itself with
   * anything but success.
   */
  async runChild(program: string, folder: string, order: unknown, trace: TraceOrder): Promise<ChildEnd> {
    const orderFile = join(folder, 'order.json');
    const traceFile = join(folder, 'trace.json');
    await writeFile(orderFile, JSON.stringify(order));
    await writeFile(traceFile, JSON.stringify(trace));
    const script = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
    return run(['--import', tracer(traceFile), script, orderFile]);
  }

  async readCounts(file: string): Promise<Counts> {
    return JSON.parse(await readFile(file, 'utf8')) as Counts;
  }
}

/** The module to load first, with the file of its order. */
export function tracer(orderFile: string): string {
  const url = new URL('./tracer.mjs', import.meta.url);
  url.searchParams.set('order', orderFile);
  return url.href;
}

async function run(args: readonly string[]): Promise<ChildEnd> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, by) => {
      resolve([exitCode, by]);
    });
  });
  if (signal !== 'SIGKILL' && code !== 0) {
    throw new Error(`${args.at(-2) ?? ''} ended with ${signal ?? String(code)}: ${errors.slice(-2000)}`);
  }
  return { killed: signal === 'SIGKILL', told: output.split('\n').slice(0, -1) };
}
