import type { Command } from 'commander';
import type { Secret } from '../../core/secret.ts';
import { engineAround } from '../direct.ts';
import { locationUrl } from '../location-text.ts';
import type { Session } from '../session.ts';
import type { Run } from './command.ts';

export function addKey(program: Command, run: Run): void {
  const key = program.command('key').description('keys of a repository (--repository)');
  key
    .command('recovery')
    .description('print the recovery kit: with it and the bucket alone everything comes back')
    .action(() => run((session) => recovery(session)));
}

async function recovery(session: Session): Promise<number> {
  const { recoveryKit } = await import('../../tasks/kinds/open.ts');
  const assignment = await session.repository();
  const { id, code } = await recoveryKit(assignment, await engineAround(session));
  printKit(session, { name: assignment.name, location: locationUrl(assignment.location), id, code });
  return 0;
}

export interface Kit {
  readonly name: string;
  readonly location: string;
  readonly id: string;
  readonly code: Secret;
}

/** The one place where a secret is printed: that is its purpose. */
export function printKit(session: Session, { name, location, id, code }: Kit): void {
  const { output } = session;
  output.object({ name, location, id, recoveryCode: code.reveal() });
  output.line('Recovery kit of Nestegg. Print it and keep it away from this machine.');
  output.line();
  output.line(`  Repository  ${name} (${id})`);
  output.line(`  Location    ${location}`);
  output.line(`  Code        ${code.reveal()}`);
  output.line();
  output.line('Whoever has the code and can read the location can read every backup in it. To bring everything back:');
  output.line(`  nestegg recover ${location} --code - --into-datastore DIRECTORY`);
}
