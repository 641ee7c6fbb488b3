import type { Command } from 'commander';
import type { Run } from './command.ts';

export function addDaemon(program: Command, run: Run): void {
  program
    .command('daemon')
    .description('run the supervisor')
    .action(() =>
      run(async (session) => {
        const { runDaemon } = await import('../../daemon/main.ts');
        return runDaemon({
          configFile: session.configFile,
          environment: session.world.env,
          terminal: session.world.stdout.isTerminal && !session.options.json,
        });
      }),
    );
}
