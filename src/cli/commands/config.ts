import type { Command } from 'commander';
import type { ConfigurationView } from '../../daemon/api/contract.ts';
import { checkConfig, formatProblems } from '../../daemon/config/load.ts';
import { configJsonSchema } from '../../daemon/config/schema.ts';
import type { Session } from '../session.ts';
import { timeText } from '../words.ts';
import type { Run } from './command.ts';

export function addConfig(program: Command, run: Run): void {
  const config = program.command('config').description('the configuration file');
  config
    .command('check')
    .description('find all errors; exit code 2 when there are some')
    .action(() => run((session) => check(session)));
  config
    .command('show')
    .description('the effective values, and where each comes from')
    .action(() => run((session) => show(session)));
  config
    .command('schema')
    .description('the JSON Schema, for editors')
    .action(() =>
      run(async (session) => {
        session.output.raw(JSON.stringify(configJsonSchema(), undefined, 2));
        return 0;
      }),
    );
  config
    .command('reload')
    .description('let the daemon apply the file; one with errors changes nothing')
    .action(() => run((session) => reload(session)));
}

async function check(session: Session): Promise<number> {
  const { output } = session;
  const checked = await checkConfig(session.configFile, session.world.env);
  if (!checked.ok) {
    for (const problem of checked.problems) output.object(problem);
    if (!output.json) session.world.stderr.write(`${formatProblems(checked.problems)}\n`);
    return 2;
  }
  const { backups, repositories, file } = checked.config;
  const counts = { backups: Object.keys(backups).length, repositories: Object.keys(repositories).length };
  output.object({ file, ...counts });
  output.line(`${file} is valid: ${String(counts.backups)} backups, ${String(counts.repositories)} repositories.`);
  return 0;
}

async function show(session: Session): Promise<number> {
  const checked = await checkConfig(session.configFile, session.world.env);
  if (!checked.ok) return check(session);
  session.output.rows(
    checked.effective,
    [
      { title: 'KEY', value: ({ path }) => path },
      { title: 'VALUE', value: ({ value }) => value },
      { title: 'FROM', value: ({ from }) => from },
    ],
    'Nothing is configured.',
  );
  return 0;
}

async function reload(session: Session): Promise<number> {
  const view = await (await session.client()).post<ConfigurationView>('/config/reload', {});
  session.output.object(view);
  session.output.line(`${view.file} is in force since ${timeText(view.loadedMs)}.`);
  return 0;
}
