/** One daemon, started as a user starts it, and heard through its JSON log. */
import type { ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { readLines } from './processes.ts';
import { DemoError, plainEnvironment, type World } from './world.ts';

export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string };

const patienceMs = 180_000;

export class Daemon {
  readonly #world: World;
  readonly #child: ChildProcess;
  readonly #lines: LogLine[] = [];
  readonly #ended: Promise<never>;
  #wake: () => void = () => undefined;

  private constructor(world: World, child: ChildProcess, logFile: string) {
    this.#world = world;
    this.#child = child;
    const log = createWriteStream(logFile, { flags: 'a' });
    child.stderr?.pipe(log, { end: false });
    this.#ended = readLines(child, (text) => {
      log.write(`${text}\n`);
      this.#read(text);
    }).then((ending) => {
      throw new DemoError(`the daemon ended (${String(ending)})`, `Its log: ${logFile}`);
    });
    this.#ended.catch(() => undefined);
  }

  /** Resolves when it listens. */
  static async start(world: World, configFile: string): Promise<Daemon> {
    const child = world.processes.node([join(world.root, 'dist/cli/main.js'), '--config', configFile, 'daemon'], {
      cwd: world.folders.top,
      environment: plainEnvironment(),
    });
    const daemon = new Daemon(world, child, join(world.folders.logs, 'daemon.log'));
    await daemon.next('the daemon to listen', ({ event }) => event === 'daemon.started');
    return daemon;
  }

  /** Of its page. */
  get address(): string {
    const started = this.#lines.find(({ event }) => event === 'daemon.started');
    const addresses = (started?.['addresses'] ?? []) as readonly string[];
    return addresses.find((address) => address.startsWith('http:')) ?? '';
  }

  /** How many lines it has logged: what comes later can be asked for. */
  get position(): number {
    return this.#lines.length;
  }

  /** The first line of its log that fits, from `position` on. @throws DemoError when it ends or takes too long. */
  async next(what: string, fits: (line: LogLine) => boolean, position = 0): Promise<LogLine> {
    const { clock, signal } = this.#world;
    const over = new AbortController();
    const stop = AbortSignal.any([signal, over.signal]);
    const late = clock.sleep(patienceMs, { signal: stop }).then(() => {
      throw new DemoError(`waited three minutes for ${what}`);
    });
    try {
      for (let at = position; ; at++) {
        while (at >= this.#lines.length) {
          const woken = new Promise<void>((resolve) => (this.#wake = resolve));
          await Promise.race([woken, late, this.#ended]);
        }
        const line = this.#lines[at];
        if (line && fits(line)) return line;
      }
    } finally {
      over.abort();
      late.catch(() => undefined);
    }
  }

  /** The id of the task that a trigger of this kind asked for. */
  async taskBy(trigger: 'pbs' | 'retry', position = 0): Promise<string> {
    const queued = (line: LogLine): boolean => line.event === 'task.queued' && line['trigger'] === trigger;
    const what = trigger === 'pbs' ? 'the watch to ask for a backup' : 'the backup to be queued again';
    return String((await this.next(what, queued, position))['task']);
  }

  async stop(): Promise<void> {
    await this.#world.processes.stop(this.#child);
    await this.#world.processes.descendantsGone();
  }

  /** `kill -9`; resolves when the task that it ran is gone too. */
  async kill(): Promise<void> {
    await this.#world.processes.kill(this.#child);
    await this.#world.processes.descendantsGone();
  }

  #read(text: string): void {
    const line = JSON.parse(text) as LogLine;
    this.#lines.push(line);
    if (line.event === 'process.started' && typeof line['pid'] === 'number') {
      this.#world.processes.noteDescendant(line['pid']);
    }
    this.#wake();
  }
}
