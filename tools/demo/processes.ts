/**
 * The processes of the demo. Each gets a process group of its own, so that a Ctrl-C reaches the demo alone and the demo
 * decides in which order they end; and an explicit environment, so that nothing of the user's reaches them.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Clock } from '../../src/core/clock.ts';

const graceMs = 5_000;
const lookMs = 50;

/** How a process ended: its exit code, or the signal. */
export type Ending = number | NodeJS.Signals | null;

export interface StartOptions {
  readonly cwd: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Given to its standard input, which is then closed. */
  readonly input?: string | undefined;
}

export class Processes {
  readonly #clock: Clock;
  readonly #running = new Set<ChildProcess>();
  /** Tasks of the daemons: they have groups of their own and end by themselves when their daemon is gone. */
  readonly #descendants = new Set<number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Node with these arguments. */
  node(args: readonly string[], options: StartOptions): ChildProcess {
    const child = spawn(process.execPath, args, {
      cwd: options.cwd,
      env: options.environment,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    return this.own(child);
  }

  own<Child extends ChildProcess>(child: Child): Child {
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    child.once('error', () => this.#running.delete(child));
    return child;
  }

  /** A process that one of ours has started. */
  noteDescendant(pid: number): void {
    this.#descendants.add(pid);
  }

  /** Resolves when no process that a daemon started is left. */
  async descendantsGone(): Promise<void> {
    const until = this.#clock.monotonic() + graceMs;
    for (const pid of this.#descendants) {
      while (isAlive(pid) && this.#clock.monotonic() < until) await this.#clock.sleep(lookMs);
      if (!isAlive(pid)) this.#descendants.delete(pid);
    }
  }

  /** Asks for the end with SIGTERM; after a grace time the whole group is killed. */
  async stop(child: ChildProcess): Promise<void> {
    await this.#end(child, 'SIGTERM');
  }

  /** `kill -9`, without a warning. */
  async kill(child: ChildProcess): Promise<void> {
    await this.#end(child, 'SIGKILL');
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((child) => this.stop(child)));
    await this.descendantsGone();
  }

  async #end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.#running.has(child)) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    const over = new AbortController();
    const late = this.#clock.sleep(graceMs, { signal: over.signal }).then(
      () => killGroup(child),
      () => undefined,
    );
    await ended;
    over.abort();
    await late;
  }
}

/** The output of a process, line by line; answers how it ended. */
export async function readLines(child: ChildProcess, onLine: (line: string) => void): Promise<Ending> {
  return new Promise((resolve, reject) => {
    let rest = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (rest !== '') onLine(rest);
      resolve(code ?? signal);
    });
  });
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
