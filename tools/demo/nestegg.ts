/** Nestegg as a user starts it: the built command line, with `--json`, so that what it says can be read here. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { TaskProgress, TaskResult } from '../../src/tasks/task.ts';
import type { SnapshotView } from '../../src/daemon/api/contract.ts';
import { readLines, type Ending } from './processes.ts';
import { DemoError, plainEnvironment, type World } from './world.ts';

/** One line of `--json`: rows of lists as they are, everything of a task with a `type`. */
export type OutputLine = Readonly<Record<string, unknown>>;

export interface NesteggOptions {
  readonly environment?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly input?: string;
  readonly onLine?: (line: OutputLine) => void;
  /** Once aborted, the command is told to end. */
  readonly stop?: AbortSignal;
}

/** @throws DemoError when it does not end with 0. */
export async function nestegg(
  world: World,
  args: readonly string[],
  options: NesteggOptions = {},
): Promise<OutputLine[]> {
  const { lines, ending, errors } = await tryNestegg(world, args, options);
  if (ending === 0) return lines;
  throw new DemoError(`\`nestegg ${args.join(' ')}\` ended with ${String(ending)}: ${errors.trim()}`);
}

export interface Outcome {
  readonly lines: OutputLine[];
  readonly ending: Ending;
  /** What it wrote to standard error. */
  readonly errors: string;
}

export async function tryNestegg(
  world: World,
  args: readonly string[],
  options: NesteggOptions = {},
): Promise<Outcome> {
  const child = world.processes.node([join(world.root, 'dist/cli/main.js'), '--json', ...args], {
    cwd: options.cwd ?? world.folders.top,
    environment: options.environment ?? plainEnvironment(),
    input: options.input,
  });
  options.stop?.addEventListener('abort', () => void world.processes.stop(child));
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const lines: OutputLine[] = [];
  const ending = await readLines(child, (text) => {
    const line = JSON.parse(text) as OutputLine;
    options.onLine?.(line);
    if (line['type'] !== 'progress') lines.push(line);
  });
  world.signal.throwIfAborted();
  logCommand(world, args, ending, errors);
  return { lines, ending, errors };
}

/** Standard output is not logged: recovery codes are printed there. */
function logCommand({ folders, clock }: World, args: readonly string[], ending: Ending, errors: string): void {
  const log = createWriteStream(join(folders.logs, 'commands.log'), { flags: 'a' });
  log.end(`${new Date(clock.now()).toISOString()} nestegg ${args.join(' ')} -> ${String(ending)}\n${errors}`);
}

/** The result that a command printed. @throws DemoError when the task did not end well. */
export function resultOf(lines: readonly OutputLine[]): TaskResult {
  const found = lines.find(({ type }) => type === 'result');
  if (found === undefined) throw new DemoError('the command printed no result');
  const result = found['result'] as TaskResult;
  if (result.state !== 'done') throw new DemoError(`the task ended as ${result.state}: ${JSON.stringify(result)}`);
  return result;
}

export function progressOf(line: OutputLine): TaskProgress | undefined {
  return line['type'] === 'progress' ? (line['progress'] as TaskProgress) : undefined;
}

export function snapshotsOf(lines: readonly OutputLine[]): readonly SnapshotView[] {
  return lines as unknown as readonly SnapshotView[];
}

export function storedIn(
  result: TaskResult,
  repository: string,
): { readonly bytes: number; readonly snapshots: number } {
  const own = result.repositories.find((one) => one.repository === repository);
  if (own === undefined) throw new DemoError(`the task has no result for ${repository}`);
  return { bytes: own.storedBytes, snapshots: own.snapshots.length };
}
