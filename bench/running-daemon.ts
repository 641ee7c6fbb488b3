/** A daemon in a process of its own, asked over its unix socket as the command line and the UI ask it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { plainEnvironment } from './measured-process.ts';
import type { Nestegg } from './nestegg.ts';

/** The fields of its log that are looked at. */
interface LogLine {
  readonly event?: string;
  readonly pid?: number;
}

export class RunningDaemon {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #socket: string;
  readonly #agent = new Agent({ keepAlive: true });
  /** Of the task that was started last. */
  taskPid: number | undefined;

  private constructor(child: ChildProcess, pid: number, socket: string) {
    this.#child = child;
    this.pid = pid;
    this.#socket = socket;
  }

  /** Resolves when it listens. */
  static async start(nestegg: Nestegg): Promise<RunningDaemon> {
    const { file, args } = nestegg.command(['daemon']);
    const child = spawn(file, args, { env: plainEnvironment(), stdio: ['ignore', 'pipe', 'ignore'] });
    if (child.pid === undefined) throw new Error('the daemon did not start');
    const daemon = new RunningDaemon(child, child.pid, join(nestegg.state, 'api.sock'));
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => {
        reject(new Error(`the daemon ended with ${String(code)}`));
      });
      createInterface({ input: child.stdout }).on('line', (text) => {
        const line = JSON.parse(text) as LogLine;
        if (line.event === 'daemon.started') resolve();
        if (line.event === 'process.started') daemon.taskPid = line.pid;
      });
    });
    return daemon;
  }

  /** The JSON of an answer. @throws Error for one that is not 2xx. */
  ask(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': text.length };
    return new Promise((resolve, reject) => {
      const asked = request(
        { socketPath: this.#socket, agent: this.#agent, method, path: `/api/v1${path}`, headers },
        (answer) => {
          let received = '';
          answer.setEncoding('utf8').on('data', (part: string) => (received += part));
          answer.once('error', reject).once('end', () => {
            const status = answer.statusCode ?? 0;
            if (status >= 200 && status < 300) resolve(JSON.parse(received));
            else reject(new Error(`${method} ${path} was answered with ${String(status)}: ${received}`));
          });
        },
      );
      asked.once('error', reject).end(text);
    });
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
  }
}
