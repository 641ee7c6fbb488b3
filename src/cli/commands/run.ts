import type { Command } from 'commander';
import { backupAssignment, backupConfig } from '../../daemon/config/assignments.ts';
import type { RunRequest } from '../../daemon/api/contract.ts';
import { UsageError } from '../../core/errors.ts';
import { assignmentBase, printResult, runDirect } from '../direct.ts';
import { askDaemon } from '../follow-task.ts';
import { collect, parsePriority } from '../parse.ts';
import type { Session } from '../session.ts';
import type { Run } from './command.ts';

interface RunOptions {
  readonly to: readonly string[];
  readonly group: readonly string[];
  readonly priority?: string;
  readonly full?: true;
  readonly allowDamaged?: true;
  readonly dryRun?: true;
  readonly wait?: true;
}

export function addRun(program: Command, run: Run): void {
  program
    .command('run')
    .description('enqueue a backup, or make it in this process (--direct)')
    .argument('<backup>', 'name of a backup of the configuration')
    .option('--to <repository>', 'only to this repository (repeatable)', collect, [])
    .option('--group <filter>', 'only groups that fit: type:vm, group:ct/101, regex:… (repeatable)', collect, [])
    .option('--priority <priority>', 'immediate, next, superior, normal, inferior, on-idle or an integer')
    .option('--full', 'ignore parents and caches: not available yet')
    .option('--allow-damaged', 'commit snapshots with bad chunks too, marked damaged')
    .option('--dry-run', 'only say what would be sent: not available yet')
    .option('--wait', 'wait for the end')
    .action((backup: string, options: RunOptions) => run((session) => runBackup(session, backup, options)));
}

async function runBackup(session: Session, backup: string, options: RunOptions): Promise<number> {
  const request = requestOf(backup, options);
  if (!session.isDirect) return askDaemon(session, request, options.wait === true);
  if (options.dryRun) throw new UsageError('a dry run of a backup is not available yet');
  if (options.full) throw new UsageError('a full backup is not available yet');
  const config = await session.config();
  const names = backupConfig(config, backup).repositories.map(({ name }) => name);
  const unknown = options.to.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    const hint = `Its repositories are: ${names.join(', ')}.`;
    throw new UsageError(`the backup ${backup} does not go to ${unknown.join(', ')}`, { hint });
  }
  const only = options.to.length === 0 ? names : options.to;
  const { allowDamaged, groups } = request;
  const result = await runDirect(session, {
    ...(await assignmentBase(session)),
    kind: 'backup',
    backup: backupAssignment(config, backup, only),
    options: {
      ...(allowDamaged === undefined ? {} : { allowDamaged }),
      ...(groups === undefined ? {} : { groups }),
    },
  });
  return printResult(session, result);
}

function requestOf(backup: string, options: RunOptions): Extract<RunRequest, { kind: 'backup' }> {
  return {
    kind: 'backup',
    backup,
    ...(options.to.length === 0 ? {} : { to: options.to }),
    ...(options.group.length === 0 ? {} : { groups: options.group }),
    ...(options.priority === undefined ? {} : { priority: parsePriority(options.priority) }),
    ...(options.full ? { full: true } : {}),
    ...(options.allowDamaged ? { allowDamaged: true } : {}),
    ...(options.dryRun ? { dryRun: true } : {}),
  };
}
