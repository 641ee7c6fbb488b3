/**
 * # Command line
 *
 * Words: the *world* is everything of the process that a command may touch; tests give their own. A *command* is one file in
 * `commands/`; it reads its arguments, asks the daemon through the API or does the work in this process (`--direct`), and prints.
 *
 * Invariants: the vocabulary is that of `docs/cli.md`; every command takes `--json` and then prints one JSON object a line on
 * standard output and nothing else; progress and errors go to standard error; a secret is never taken from the arguments when
 * it can come otherwise and never printed but by `key recovery`; what comes from a repository cannot steer the terminal.
 */
import type { Clock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';

export interface World {
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts with Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** Everything on standard input, at most `limitBytes`. */
  readInput(limitBytes: number): Promise<string>;
  /** Asks on the terminal without showing what is typed; `undefined` when there is no terminal. */
  askSecret(question: string): Promise<string | undefined>;
}

export interface TextSink {
  readonly isTerminal: boolean;
  readonly columns: number;
  write(text: string): void;
}

/** Options that every command has. */
export interface GlobalOptions {
  readonly config?: string;
  readonly json: boolean;
  readonly direct: boolean;
  readonly debug: boolean;
  /** A name of the configuration or a URL. */
  readonly repository?: string;
}
