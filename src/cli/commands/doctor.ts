import type { Command } from 'commander';
import type { Session } from '../session.ts';
import type { Run } from './command.ts';

export function addDoctor(program: Command, run: Run): void {
  program
    .command('doctor')
    .description('what is well and what is not; exit code 1 when something is not')
    .action(() => run((session) => doctor(session)));
}

async function doctor(session: Session): Promise<number> {
  const { doctorFindings } = await import('../doctor/doctor.ts');
  const findings = await doctorFindings(session);
  session.output.rows(
    findings,
    [
      { title: 'WHAT', value: ({ what }) => what },
      { title: 'MEASURED', value: ({ measured }) => measured },
      { title: 'THRESHOLD', value: ({ threshold }) => threshold },
      { title: 'VERDICT', value: ({ verdict }) => verdict },
      { title: 'WHAT TO DO', value: ({ advice }) => advice },
    ],
    'Nothing was looked at.',
  );
  return findings.some(({ verdict }) => verdict === 'bad') ? 1 : 0;
}
