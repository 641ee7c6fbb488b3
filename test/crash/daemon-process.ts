/** A real daemon in a process of its own, with a configuration in a folder, and what is asked of it over its socket. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectSocket, socketPath, type ApiClient } from '../../src/cli/api-client.ts';
import { systemClock } from '../../src/core/clock.ts';
import { NesteggError } from '../../src/core/errors.ts';
import type { EndedTaskView, QueueView, RunAnswer, TaskPage, TaskView } from '../../src/daemon/api/contract.ts';
import { tracer } from './lab.ts';

const patienceMs = 60_000;
const program = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** Asks `look` until it answers something. @throws Error after a minute, with `what` was waited for. */
export async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const endMs = systemClock.monotonic() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (systemClock.monotonic() > endMs) throw new Error(`waited in vain: ${what}`);
    await systemClock.sleep(25);
  }
}

/** In `folder`: `config.yml`, `state` and `tmp`, which its environment names, and so that of all it starts. */
export class DaemonProcess {
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  readonly #child: ChildProcess;
  readonly #client: ApiClient;
  #end: string | undefined;
  #output = '';

  constructor(folder: string, traceFile?: string) {
    const preload = traceFile === undefined ? [] : ['--import', tracer(traceFile)];
    const args = [...preload, program, '--config', join(folder, 'config.yml'), '--json', 'daemon'];
    const env = { PATH: process.env['PATH'], TMPDIR: join(folder, 'tmp') };
    this.#child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    }
    const kill = (): void => {
      this.kill();
    };
    process.once('exit', kill);
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#end = signal ?? String(code);
        process.off('exit', kill);
        resolve({ code, signal });
      });
    });
    this.#client = connectSocket(socketPath(join(folder, 'state')), '0.1.0');
  }

  /** All it wrote. */
  get output(): string {
    return this.#output;
  }

  get killed(): boolean {
    return this.#end === 'SIGKILL';
  }

  /** Resolves when it answers, or with false when it ended before. */
  async ready(): Promise<boolean> {
    return until('the daemon answers', async () => {
      if (this.#end !== undefined) return false;
      return (await this.ask((client) => client.get('/status'))) === undefined ? undefined : true;
    });
  }

  /** The answer; undefined when it could not give one because it is not there (any more). */
  async ask<T>(question: (client: ApiClient) => Promise<T>): Promise<T | undefined> {
    try {
      return await question(this.#client);
    } catch (error) {
      const gone = error instanceof NesteggError && error.code === 'daemon.unreachable';
      const brokenOff = !(error instanceof NesteggError);
      if (gone || brokenOff) return undefined;
      throw error;
    }
  }

  async run(backup: string): Promise<TaskView | undefined> {
    return (await this.ask((client) => client.post<RunAnswer>('/tasks', { kind: 'backup', backup })))?.task;
  }

  /** Resolves when nothing waits or runs, or with false when the daemon ended. */
  async idle(): Promise<boolean> {
    return until('the queue is empty', async () => {
      if (this.#end !== undefined) return false;
      const queue = await this.ask((client) => client.get<QueueView>('/queue'));
      return queue && queue.running.length + queue.waiting.length === 0 ? true : undefined;
    });
  }

  /** Every ended task, oldest first. */
  async history(): Promise<EndedTaskView[]> {
    const page = await this.ask((client) => client.get<TaskPage>('/tasks', { limit: 500 }));
    return (page?.tasks ?? []).filter((task): task is EndedTaskView => 'endedMs' in task).reverse();
  }

  /** Ends it in order. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.exited;
  }

  /** For the end of a test that failed: nothing of it may stay. */
  kill(): void {
    if (this.#end === undefined) this.#child.kill('SIGKILL');
  }
}

/** Processes that were started with `folder/tmp` as their folder for temporary files: the daemon and all it started. */
export async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (environment.split('\0').includes(`TMPDIR=${join(folder, 'tmp')}`)) found.push(pid);
  }
  return found;
}
