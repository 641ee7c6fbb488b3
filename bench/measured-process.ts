import { spawn, type ChildProcess } from 'node:child_process';
import type { Clock } from '../src/core/clock.ts';
import { anonymousBytes, processorMs } from './process-usage.ts';

export interface Usage {
  readonly wallMs: number;
  /** Processor time of all threads; up to one look less than it was. */
  readonly processorMs: number;
  /** The most that was seen of `RssAnon`. */
  readonly peakBytes: number;
  readonly output: string;
}

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const lookMs = 50;

/** Processes get no more of our own environment than programs need. */
export function plainEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'LANG', 'TMPDIR'];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}

/** Looks at one process until `stop`. */
export class Watched {
  readonly #over = new AbortController();
  readonly #looking: Promise<void>;
  #peakBytes = 0;
  #processorMs = 0;

  constructor(pid: number, clock: Clock) {
    this.#looking = this.#look(pid, clock);
  }

  async stop(): Promise<Pick<Usage, 'processorMs' | 'peakBytes'>> {
    this.#over.abort();
    await this.#looking;
    return { processorMs: this.#processorMs, peakBytes: this.#peakBytes };
  }

  async #look(pid: number, clock: Clock): Promise<void> {
    while (!this.#over.signal.aborted) {
      this.#peakBytes = Math.max(this.#peakBytes, anonymousBytes(pid) ?? 0);
      this.#processorMs = processorMs(pid) ?? this.#processorMs;
      await clock.sleep(lookMs, { signal: this.#over.signal }).catch(() => undefined);
    }
  }
}

/** Runs the command to its end. @throws Error when it does not end with 0; the signal's reason when that ended it. */
export async function measure(command: Command, clock: Clock, signal: AbortSignal): Promise<Usage> {
  const { file, args, environment } = command;
  signal.throwIfAborted();
  const started = clock.monotonic();
  const child = spawn(file, args, {
    env: { ...plainEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = (): void => {
    child.kill();
  };
  signal.addEventListener('abort', stop, { once: true });
  const watched = child.pid === undefined ? undefined : new Watched(child.pid, clock);
  try {
    const { output, errors, ending } = await outputOf(child);
    const wallMs = clock.monotonic() - started;
    signal.throwIfAborted();
    if (ending !== 0) throw new Error(`${[file, ...args].join(' ')} ended with ${String(ending)}:\n${errors}${output}`);
    return { wallMs, output, processorMs: 0, peakBytes: 0, ...(await watched?.stop()) };
  } finally {
    await watched?.stop();
    signal.removeEventListener('abort', stop);
  }
}

interface Ended {
  readonly output: string;
  readonly errors: string;
  readonly ending: number | NodeJS.Signals | null;
}

function outputOf(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve, reject) => {
    let output = '';
    let errors = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.once('error', reject);
    child.once('close', (code, killed) => {
      resolve({ output, errors, ending: code ?? killed });
    });
  });
}
