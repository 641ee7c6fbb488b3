/** The log of each task: a bounded file of JSON lines in the state directory, written behind, removed with its history. */
import { appendFile, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { messageOf, systemCode } from '../core/errors.ts';
import type { LogFields, Logger } from '../core/logger.ts';
import type { TaskLog, TaskLogLine } from './api/contract.ts';

/** Beyond it lines are counted and dropped. */
const longestBytes = 1_048_576;
const suffix = '.log';

export interface TaskLogWriter {
  add(level: TaskLogLine['level'], event: string, fields: LogFields): void;
  close(): void;
}

interface Tail {
  readonly dropped: number;
}

export interface TaskLogSettings {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly scrub: (text: string) => string;
}

export class TaskLogs {
  readonly #settings: TaskLogSettings;
  /** Appends of one file happen in order; one that fails is dropped, because a log must not stop a task. */
  readonly #writing = new Map<string, Promise<void>>();

  constructor(settings: TaskLogSettings) {
    this.#settings = settings;
  }

  async prepare(): Promise<void> {
    await mkdir(this.#settings.directory, { recursive: true, mode: 0o700 });
  }

  /** `id` is a task id: letters and digits. */
  open(id: string): TaskLogWriter {
    let bytes = 0;
    let dropped = 0;
    return {
      add: (level, event, fields) => {
        const line: TaskLogLine = { timeMs: this.#settings.clock.now(), level, event, fields };
        const text = `${this.#settings.scrub(JSON.stringify(line))}\n`;
        bytes += text.length;
        if (bytes > longestBytes) dropped += 1;
        else this.#append(id, text);
      },
      close: () => {
        if (dropped > 0) this.#append(id, `${JSON.stringify({ dropped } satisfies Tail)}\n`);
      },
    };
  }

  /** Empty for a task that never ran, or whose log is gone. */
  async read(id: string): Promise<TaskLog> {
    await this.#writing.get(id);
    const lines: TaskLogLine[] = [];
    let dropped = 0;
    for (const text of (await this.#textOf(id)).split('\n')) {
      const value = parsed(text);
      if (value === undefined) continue;
      if ('dropped' in value) dropped = value.dropped;
      else lines.push(value);
    }
    return { lines, dropped };
  }

  /** Removes logs last written before `beforeMs`. */
  async forget(beforeMs: number): Promise<void> {
    for (const name of await readdir(this.#settings.directory)) {
      if (!name.endsWith(suffix)) continue;
      const path = join(this.#settings.directory, name);
      const { mtimeMs } = await stat(path);
      if (mtimeMs < beforeMs) await rm(path, { force: true });
    }
  }

  /** Resolves when everything added so far is written. */
  async settled(): Promise<void> {
    await Promise.all(this.#writing.values());
  }

  #append(id: string, text: string): void {
    const before = this.#writing.get(id) ?? Promise.resolve();
    const write = before
      .then(() => appendFile(this.#path(id), text, { mode: 0o600 }))
      .catch((error: unknown) => {
        this.#settings.log.warn('task-log.failed', { task: id, error: messageOf(error) });
      })
      .finally(() => {
        if (this.#writing.get(id) === write) this.#writing.delete(id);
      });
    this.#writing.set(id, write);
  }

  async #textOf(id: string): Promise<string> {
    try {
      return await readFile(this.#path(id), 'utf8');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return '';
      throw error;
    }
  }

  #path(id: string): string {
    return join(this.#settings.directory, `${id}${suffix}`);
  }
}

/** A crash can leave half a line at the end. */
function parsed(text: string): TaskLogLine | Tail | undefined {
  try {
    return JSON.parse(text) as TaskLogLine | Tail;
  } catch {
    return undefined;
  }
}
