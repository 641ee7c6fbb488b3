/** The configuration in force, and how a new one takes its place. */
import type { Clock } from '../core/clock.ts';
import { NesteggError } from '../core/errors.ts';
import type { TaskProblem } from '../tasks/task.ts';
import type { ConfigurationView } from './api/contract.ts';
import { secretTexts } from './config/assignments.ts';
import type { Config } from './config/config.ts';
import { loadConfig } from './config/load.ts';
import type { DaemonLog } from './log/log.ts';
import type { Scrubber } from './log/scrubber.ts';

export interface ConfigurationParts {
  readonly clock: Clock;
  readonly log: DaemonLog;
  readonly scrubber: Scrubber;
  readonly environment: NodeJS.ProcessEnv;
}

type Change = (next: Config, before: Config) => Promise<void>;

export class Configuration {
  readonly #parts: ConfigurationParts;
  readonly #changes: Change[] = [];
  #config: Config;
  #loadedMs: number;
  #problem: TaskProblem | undefined;
  /** One reload after the other. */
  #last: Promise<void> = Promise.resolve();

  constructor(config: Config, parts: ConfigurationParts) {
    this.#parts = parts;
    this.#config = config;
    this.#loadedMs = parts.clock.now();
    parts.scrubber.learn(secretTexts(config));
  }

  get config(): Config {
    return this.#config;
  }

  onChange(change: Change): void {
    this.#changes.push(change);
  }

  view(): ConfigurationView {
    return {
      file: this.#config.file,
      loadedMs: this.#loadedMs,
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  /** Reads the file again. @throws ConfigError or UsageError when it has errors; what is in force stays. */
  reload(): Promise<void> {
    const next = this.#last.then(() => this.#reload());
    this.#last = next.catch(() => undefined);
    return next;
  }

  async #reload(): Promise<void> {
    const { log, environment, scrubber, clock } = this.#parts;
    const before = this.#config;
    try {
      const loaded = await loadConfig(before.file, environment);
      const next = withoutRestart(before, loaded);
      scrubber.learn(secretTexts(next));
      this.#config = next;
      this.#loadedMs = clock.now();
      this.#problem = undefined;
      log.setLevel(next.log.level);
      this.#warnOfRestart(before, loaded);
      for (const change of this.#changes) await change(next, before);
      log.info('config.reloaded', { file: next.file });
    } catch (error) {
      if (error instanceof NesteggError) {
        this.#problem = { code: error.code, message: error.message, ...(error.hint ? { hint: error.hint } : {}) };
        log.error('config.refused', { file: before.file, error: error.message });
      }
      throw error;
    }
  }

  /** Some things are decided once for the life of the process. */
  #warnOfRestart(before: Config, next: Config): void {
    const changed = [
      ...(JSON.stringify(before.daemon.listen) === JSON.stringify(next.daemon.listen) ? [] : ['daemon.listen']),
      ...(before.daemon.state === next.daemon.state ? [] : ['daemon.state']),
      ...(before.log.format === next.log.format ? [] : ['log.format']),
    ];
    if (changed.length > 0) this.#parts.log.warn('config.needs-restart', { keys: changed });
  }
}

/** The state directory is locked, the sockets are open: until the next start both stay where they are, for tasks too. */
function withoutRestart(before: Config, loaded: Config): Config {
  const { state, listen } = before.daemon;
  return Object.freeze({ ...loaded, daemon: Object.freeze({ ...loaded.daemon, state, listen }) });
}
