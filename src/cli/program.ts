/** The command line as a whole: commands, global options, errors and exit codes. */
import { Command, CommanderError } from 'commander';
import { messageOf, NesteggError } from '../core/errors.ts';
import { addCheck, addRebuildIndex } from './commands/check.ts';
import type { AddCommand, Run } from './commands/command.ts';
import { addConfig } from './commands/config.ts';
import { addDaemon } from './commands/daemon.ts';
import { addDoctor } from './commands/doctor.ts';
import { addKey } from './commands/key.ts';
import { addQueue } from './commands/queue.ts';
import { addRecover } from './commands/recover.ts';
import { addRepository } from './commands/repository.ts';
import { addRestore } from './commands/restore.ts';
import { addRun } from './commands/run.ts';
import { addSnapshots } from './commands/snapshots.ts';
import { addTasks } from './commands/tasks.ts';
import { addUnavailable } from './commands/unavailable.ts';
import { exitCodeOf } from './exit-code.ts';
import { plain } from './output.ts';
import { Session } from './session.ts';
import type { GlobalOptions, World } from './world.ts';

const commands: readonly AddCommand[] = [
  addDaemon,
  addRun,
  addQueue,
  addTasks,
  addSnapshots,
  addRestore,
  addCheck,
  addRebuildIndex,
  addRepository,
  addRecover,
  addKey,
  addConfig,
  addDoctor,
  addUnavailable,
];

const exitCodes = `
Exit codes: 0 done · 1 failed · 2 wrong usage or configuration · 3 done with warnings · 4 not found ·
10 repository does not exist · 11 wrong key · 130 cancelled`;

/** Runs one command line, without the names of interpreter and program. Answers the exit code; never throws. */
export async function runProgram(args: readonly string[], world: World, version: string): Promise<number> {
  let exitCode = 0;
  const program = new Command('nestegg')
    .description('encrypted backups of Proxmox Backup Server datastores into several repositories')
    .version(version)
    .option('--config <file>', 'configuration file (default: NESTEGG_CONFIG, /etc/nestegg/config.yml)')
    .option('--json', 'one JSON object a line', false)
    .option('--direct', 'do the work in this process, without a daemon', false)
    .option('--repository <name or url>', 'the repository that the command is about')
    .option('--debug', 'show the log and stacks of errors', false)
    .addHelpText('after', exitCodes)
    .showHelpAfterError('(`nestegg --help` lists the commands)')
    .configureOutput({
      writeOut: (text) => {
        world.stdout.write(text);
      },
      writeErr: (text) => {
        world.stderr.write(text);
      },
    })
    .exitOverride();
  const run: Run = async (act) => {
    const options = program.opts<GlobalOptions>();
    try {
      exitCode = await act(new Session(world, options, version));
    } catch (error) {
      printError(world, options, error);
      exitCode = exitCodeOf(error);
    }
  };
  for (const add of commands) add(program, run);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    printError(world, program.opts<GlobalOptions>(), error);
    return exitCodeOf(error);
  }
  return exitCode;
}

function printError(world: World, options: Pick<GlobalOptions, 'json' | 'debug'>, error: unknown): void {
  if (options.json) {
    world.stderr.write(`${JSON.stringify({ error: errorObject(error) })}\n`);
    return;
  }
  const lines = [`nestegg: ${messageOf(error)}`];
  if (error instanceof NesteggError) {
    if (error.hint !== undefined) lines.push(`  hint: ${error.hint}`);
    lines.push(`  code: ${error.code}`);
  } else lines.push('  code: internal');
  if (options.debug && error instanceof Error) lines.push(error.stack ?? '');
  world.stderr.write(
    `${lines
      .flatMap((line) => line.split('\n'))
      .map(plain)
      .join('\n')}\n`,
  );
}

function errorObject(error: unknown): Record<string, unknown> {
  if (!(error instanceof NesteggError)) return { code: 'internal', message: messageOf(error) };
  const { code, message, hint, context } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }), context };
}
