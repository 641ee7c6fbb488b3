/**
 * Reader processes: one for a repository while somebody asks about it, warm for some minutes, then gone. The host side.
 */
import { NesteggError, UsageError } from '../../core/errors.ts';
import { errorCodes, type ErrorCode } from '../../core/error-codes.ts';
import type { Logger } from '../../core/logger.ts';
import type { RepositoryAssignment } from '../kinds/assignment.ts';
import type { RepositoryAnswers, RepositoryRequest } from '../kinds/read-repository.ts';
import type { TaskProblem } from '../task.ts';
import { Child, type ProcessEntry, type ProcessSurroundings } from './child.ts';
import type { FromProcess } from './messages.ts';

export interface ReaderSettings {
  readonly entry: ProcessEntry;
  readonly stateDirectory: string;
  /** A reader that nobody asked for so long ends. */
  readonly idleMs: number;
  /** A question that takes longer is given up and its reader killed. */
  readonly answerMs: number;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export class ReaderHost {
  readonly #settings: ReaderSettings;
  readonly #surroundings: ProcessSurroundings;
  readonly #log: Logger;
  readonly #readers = new Map<string, Reader>();
  #closed = false;

  constructor(settings: ReaderSettings, surroundings: ProcessSurroundings, log: Logger) {
    this.#settings = settings;
    this.#surroundings = surroundings;
    this.#log = log;
  }

  /** @throws NesteggError with the code the reader met, `task.crashed` when it died, `storage.timeout` when it took too long. */
  async ask<Type extends RepositoryRequest['type']>(
    repository: RepositoryAssignment,
    request: Extract<RepositoryRequest, { type: Type }>,
  ): Promise<RepositoryAnswers[Type]> {
    if (this.#closed) throw new UsageError('the daemon is stopping');
    const answer = await this.#reader(repository).ask(request);
    return answer as RepositoryAnswers[Type];
  }

  /** Ends the reader of a repository whose configuration changed; questions under way fail. */
  forget(repository: string): void {
    this.#readers.get(repository)?.end();
    this.#readers.delete(repository);
  }

  close(): void {
    this.#closed = true;
    for (const name of [...this.#readers.keys()]) this.forget(name);
  }

  #reader(repository: RepositoryAssignment): Reader {
    const running = this.#readers.get(repository.name);
    if (running) return running;
    const log = this.#log.with({ repository: repository.name });
    const reader = new Reader(repository, this.#settings, this.#surroundings, log, () => {
      if (this.#readers.get(repository.name) === reader) this.#readers.delete(repository.name);
    });
    this.#readers.set(repository.name, reader);
    return reader;
  }
}

class Reader {
  readonly #settings: ReaderSettings;
  readonly #surroundings: ProcessSurroundings;
  readonly #log: Logger;
  readonly #child: Child;
  readonly #gone: () => void;
  readonly #over = new AbortController();
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #lastAskedMs: number;

  constructor(
    repository: RepositoryAssignment,
    settings: ReaderSettings,
    surroundings: ProcessSurroundings,
    log: Logger,
    gone: () => void,
  ) {
    this.#settings = settings;
    this.#surroundings = surroundings;
    this.#log = log;
    this.#gone = gone;
    this.#lastAskedMs = surroundings.clock.monotonic();
    this.#child = new Child(settings.entry, {}, surroundings, {
      message: (message) => {
        this.#receive(message);
      },
      ended: (end) => {
        this.#over.abort();
        gone();
        this.#log.debug('reader.ended', { exitCode: end.exitCode, signal: end.signal });
        const context = { lastWords: end.lastWords };
        this.#failAll(new NesteggError('task.crashed', 'the process that reads the repository ended', { context }));
      },
    });
    this.#log.debug('reader.started', { pid: this.#child.pid });
    this.#child.send({ type: 'open', repository, stateDirectory: settings.stateDirectory });
    this.#endWhenIdle();
  }

  async ask(request: RepositoryRequest): Promise<unknown> {
    this.#lastAskedMs = this.#surroundings.clock.monotonic();
    const id = this.#nextId;
    this.#nextId += 1;
    const answered = new AbortController();
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#child.send({ type: 'request', id, request });
    const { clock } = this.#surroundings;
    clock.sleep(this.#settings.answerMs, { signal: answered.signal, unref: true }).then(
      () => {
        this.#failAll(new NesteggError('storage.timeout', 'the repository gave no answer in time', { retry: 'later' }));
        this.end();
      },
      () => undefined,
    );
    try {
      return await answer;
    } finally {
      answered.abort();
      this.#waiting.delete(id);
    }
  }

  /** From here on nobody asks it any more: a question would be lost with the process. */
  end(): void {
    this.#gone();
    this.#child.kill();
  }

  #receive(message: FromProcess): void {
    if (message.type === 'answer') this.#waiting.get(message.id)?.resolve(message.answer);
    if (message.type === 'refused') this.#waiting.get(message.id)?.reject(errorFrom(message.problem));
    if (message.type === 'log' && message.level !== 'debug') this.#log[message.level](message.event, message.fields);
  }

  #failAll(error: NesteggError): void {
    for (const waiting of this.#waiting.values()) waiting.reject(error);
  }

  #endWhenIdle(): void {
    const left = this.#lastAskedMs + this.#settings.idleMs - this.#surroundings.clock.monotonic();
    if (left <= 0 && this.#waiting.size === 0) {
      this.end();
      return;
    }
    this.#surroundings.clock.sleep(Math.max(left, 1_000), { signal: this.#over.signal, unref: true }).then(
      () => {
        this.#endWhenIdle();
      },
      () => undefined,
    );
  }
}

/** The error a problem was made from, as far as it matters to whoever asked. */
function errorFrom(problem: TaskProblem): NesteggError {
  const { code, message, ...details } = problem;
  return new NesteggError(isErrorCode(code) ? code : 'internal', message, details);
}

function isErrorCode(code: string): code is ErrorCode {
  return code in errorCodes;
}
