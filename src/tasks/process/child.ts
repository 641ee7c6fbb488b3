/** One forked process with its own process group, an explicit environment, its last words and a way to end it for good. */
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Clock } from '../../core/clock.ts';
import { forkProcess } from '../../core/entry.ts';
import { messageOf } from '../../core/errors.ts';
import { isFromProcess, type FromProcess, type ToProcess } from './messages.ts';

/** A module to fork, relative to the file that names it. */
export interface ProcessEntry {
  readonly caller: string;
  readonly module: string;
}

export interface ProcessLimits {
  /** 0 to 19, added to the niceness of the daemon. */
  readonly nice?: number;
  readonly io?: 'idle' | 'best-effort';
  /** Bound of the JavaScript heap; buffers of packs are not in it. */
  readonly heapMiB?: number;
}

/** The world around a process. */
export interface ProcessSurroundings {
  readonly clock: Clock;
  readonly environment: NodeJS.ProcessEnv;
}

export interface ChildEnd {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Set when the process could not be started at all. */
  readonly failure: string | undefined;
  /** The end of what it wrote to standard error, at most 4,000 characters. */
  readonly lastWords: string;
}

export interface ChildHandlers {
  message(message: FromProcess): void;
  /** Called once, after the last message. */
  ended(end: ChildEnd): void;
}

const lastWordsLength = 4_000;
/** After the exit its pipes are empty soon, unless something it started has left the group and holds them open. */
const drainMs = 1_000;

/** Found once for a process: both are part of every Debian, but a container may lack them. */
const toolFolders = ['/usr/bin', '/bin'];

function tool(name: string): string | undefined {
  return toolFolders.map((folder) => `${folder}/${name}`).find((path) => existsSync(path));
}

/** A program that becomes the process itself keeps its priority for every thread; setting it later reaches one thread only. */
function launcher(limits: ProcessLimits): readonly string[] {
  const prefix: string[] = [];
  const nice = tool('nice');
  const ionice = tool('ionice');
  if (limits.nice !== undefined && limits.nice > 0 && nice !== undefined) prefix.push(nice, '-n', String(limits.nice));
  if (limits.io !== undefined && ionice !== undefined) {
    prefix.push(ionice, ...(limits.io === 'idle' ? ['-c', '3'] : ['-c', '2', '-n', '7']));
  }
  return prefix;
}

/** What a process inherits: where programs are, the language, the time zone. No secret, no NODE_OPTIONS. */
export function processEnvironment(from: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  for (const name of ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS']) {
    const value = from[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

export class Child {
  readonly #process: ChildProcess;
  #lastWords = '';
  #ended = false;

  constructor(entry: ProcessEntry, limits: ProcessLimits, surroundings: ProcessSurroundings, handlers: ChildHandlers) {
    const heap = limits.heapMiB === undefined ? [] : [`--max-old-space-size=${String(limits.heapMiB)}`];
    const command = [...launcher(limits), process.execPath];
    this.#process = forkProcess(entry.caller, entry.module, [], {
      detached: true,
      env: surroundings.environment,
      execPath: command[0] ?? process.execPath,
      execArgv: [...command.slice(1), ...heap],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-lastWordsLength);
    });
    this.#process.on('message', (message: unknown) => {
      if (isFromProcess(message)) handlers.message(message);
    });
    this.#process.once('error', (error) => {
      if (this.#process.pid === undefined) this.#end(handlers, { failure: messageOf(error) });
    });
    this.#process.once('exit', (exitCode, signal) => {
      this.kill();
      const end = (): void => {
        this.#end(handlers, { exitCode: exitCode ?? undefined, signal: signal ?? undefined });
      };
      this.#process.once('close', end);
      void surroundings.clock.sleep(drainMs, { unref: true }).then(end);
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** A message to a process that is just ending is lost; its end is reported anyway. */
  send(message: ToProcess): void {
    if (this.#process.connected) this.#process.send(message, () => undefined);
  }

  /** SIGKILL to the process and to everything it started. */
  kill(): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // The group is gone already.
    }
  }

  #end(handlers: ChildHandlers, end: Partial<Omit<ChildEnd, 'lastWords'>>): void {
    if (this.#ended) return;
    this.#ended = true;
    const { exitCode, signal, failure } = end;
    handlers.ended({ exitCode, signal, failure, lastWords: this.#lastWords.trim() });
  }
}
