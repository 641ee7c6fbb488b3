import { resolve } from 'node:path';
import type { Command } from 'commander';
import { UsageError } from '../../core/errors.ts';
import type { Session } from '../session.ts';
import { runRepositoryTask } from './check.ts';
import type { Run } from './command.ts';

interface RestoreOptions {
  readonly intoDatastore?: string;
  readonly namespace?: string;
  readonly to?: string;
  readonly image?: string;
  readonly wait?: true;
}

export function addRestore(program: Command, run: Run): void {
  program
    .command('restore')
    .description('bring PBS snapshots back into a datastore, from a repository (--repository)')
    .argument('<snapshot...>', 'id, unique prefix, [ns/]vm/100[@TIME|@latest], or all')
    .option('--into-datastore <directory>', 'folder of a PBS datastore; it is made when it is not there')
    .option('--namespace <namespace>', 'below this namespace, instead of where they came from')
    .option('--to <directory>', 'files into a folder: not available yet')
    .option('--image <file>', 'a raw disk image: not available yet')
    .option('--wait', 'wait for the end')
    .action((snapshots: readonly string[], options: RestoreOptions) =>
      run((session) => restore(session, snapshots, options)),
    );
}

async function restore(session: Session, snapshots: readonly string[], options: RestoreOptions): Promise<number> {
  const target = restoreTarget(options);
  return runRepositoryTask(session, { kind: 'restore', snapshots, target }, options.wait === true);
}

export function restoreTarget(options: RestoreOptions) {
  if (options.to !== undefined || options.image !== undefined) {
    throw new UsageError('restoring files and images is not available yet', { hint: 'Use --into-datastore.' });
  }
  if (options.intoDatastore === undefined)
    throw new UsageError('restore to where?', { hint: 'Use --into-datastore DIRECTORY.' });
  return {
    type: 'datastore' as const,
    directory: resolve(options.intoDatastore),
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
  };
}
