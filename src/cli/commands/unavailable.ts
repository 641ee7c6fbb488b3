import type { Command } from 'commander';
import { UsageError } from '../../core/errors.ts';
import type { Run } from './command.ts';

/** Commands of the vocabulary whose parts are not built yet: a clear answer instead of an unknown command. */
const commands: readonly string[] = [
  'ls',
  'find',
  'dump',
  'export',
  'prune',
  'gc',
  'copy',
  'repair',
  'measure',
  'drill',
  'pbs',
  'bandwidth',
  'user',
  'token',
  'notifications',
  'completion',
];

const subcommands: Readonly<Record<string, readonly string[]>> = {
  snapshots: ['diff', 'pin', 'unpin', 'forget', 'undelete'],
  key: ['list', 'add', 'remove', 'password', 'checkpoint'],
};

/** Call it last: it adds to groups that are there. */
export function addUnavailable(program: Command, run: Run): void {
  for (const name of commands) addOne(program, name, name, run);
  for (const group of program.commands) {
    for (const name of subcommands[group.name()] ?? []) addOne(group, name, `${group.name()} ${name}`, run);
  }
}

function addOne(parent: Command, name: string, whole: string, run: Run): void {
  parent
    .command(name, { hidden: true })
    .argument('[anything...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(() =>
      run(async () => {
        throw new UsageError(`\`nestegg ${whole}\` is not available yet`);
      }),
    );
}
