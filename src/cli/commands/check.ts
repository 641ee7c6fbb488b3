import type { Command } from 'commander';
import type { RunRequest } from '../../daemon/api/contract.ts';
import { assignmentBase, printResult, runDirect } from '../direct.ts';
import { askDaemon } from '../follow-task.ts';
import { parseShare } from '../parse.ts';
import type { Session } from '../session.ts';
import type { Run } from './command.ts';

export function addCheck(program: Command, run: Run): void {
  program
    .command('check')
    .description('prove that a repository (--repository) is whole')
    .option('--read <share>', 'read back this share of all data too: 5%, 100%', parseShare)
    .option('--wait', 'wait for the end')
    .action((options: { readonly read?: number; readonly wait?: true }) =>
      run((session) => {
        const { read } = options;
        const how = read === undefined ? { mode: 'structure' as const } : { mode: 'data' as const, share: read };
        return runRepositoryTask(session, { kind: 'check', ...how }, options.wait === true);
      }),
    );
}

export function addRebuildIndex(program: Command, run: Run): void {
  program
    .command('rebuild-index')
    .description('make the index of a repository (--repository) anew from its packs')
    .option('--wait', 'wait for the end')
    .action((options: { readonly wait?: true }) =>
      run((session) => runRepositoryTask(session, { kind: 'rebuild-index' }, options.wait === true)),
    );
}

type Wanted =
  Extract<RunRequest, { repository: string }> extends infer Each
    ? Each extends unknown
      ? Omit<Each, 'repository' | 'priority'>
      : never
    : never;

/** A task about one repository: through the daemon, or here. */
export async function runRepositoryTask(session: Session, wanted: Wanted, wait: boolean): Promise<number> {
  if (!session.isDirect) {
    const request = { ...wanted, repository: await session.repositoryName() } as RunRequest;
    return askDaemon(session, request, wait);
  }
  const { kind, ...options } = wanted;
  const repository = await session.repository();
  const result = await runDirect(session, { ...(await assignmentBase(session)), kind, repository, options });
  return printResult(session, result);
}
