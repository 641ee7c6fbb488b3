import type { Command } from 'commander';
import { parseRepositoryUrl, storeSecrets } from '../repository-url.ts';
import type { RepositoryAssignment } from '../../tasks/kinds/assignment.ts';
import { recoveryCodeFor } from '../credential.ts';
import { printResult, recoveryBase, runDirect } from '../direct.ts';
import { cliLogger } from '../log.ts';
import type { Session } from '../session.ts';
import type { Run } from './command.ts';
import { restoreTarget } from './restore.ts';
import { printSnapshots } from './snapshots.ts';

interface RecoverOptions {
  readonly code?: string;
  readonly intoDatastore?: string;
  readonly namespace?: string;
}

export function addRecover(program: Command, run: Run): void {
  program
    .command('recover')
    .description('an empty machine, a bucket and a code: list what is there, and bring it back')
    .argument('<url>', 'file:///path, s3://host/bucket/prefix; access by NESTEGG_ACCESS_KEY and NESTEGG_SECRET_KEY')
    .argument('[snapshot...]', 'what to bring back', ['all'])
    .option('--code <code>', 'recovery code; - reads it from standard input; better by NESTEGG_RECOVERY_CODE')
    .option(
      '--into-datastore <directory>',
      'bring it back into this PBS datastore; without it the snapshots are listed',
    )
    .option('--namespace <namespace>', 'below this namespace')
    .action((url: string, snapshots: readonly string[], options: RecoverOptions) =>
      run((session) => recover(session, url, snapshots, options)),
    );
}

async function recover(
  session: Session,
  url: string,
  snapshots: readonly string[],
  options: RecoverOptions,
): Promise<number> {
  const { world } = session;
  const location = parseRepositoryUrl(url, world.env);
  const recoveryCode = await recoveryCodeFor(world, options.code);
  const repository: RepositoryAssignment = {
    name: url,
    location,
    secrets: { ...storeSecrets(location, world.env), recoveryCode },
    readOnly: true,
  };
  if (options.intoDatastore !== undefined) {
    const target = restoreTarget(options);
    const assignment = {
      ...recoveryBase(session),
      kind: 'restore' as const,
      repository,
      options: { snapshots, target },
    };
    return printResult(session, await runDirect(session, assignment));
  }
  const { openReader } = await import('../../tasks/kinds/reader.ts');
  const reader = openReader(repository, undefined, cliLogger(world, session.options));
  try {
    printSnapshots(
      session,
      (await reader.snapshots()).map((row) => ({ ...row, repository: url })),
    );
  } finally {
    await reader.close();
  }
  session.output.note('`--into-datastore DIRECTORY` brings them back.');
  return 0;
}
