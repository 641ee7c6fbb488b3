import type { Command } from 'commander';
import { repositoryAssignment } from '../../daemon/config/assignments.ts';
import { formatSize } from '../../core/units.ts';
import { engineAround } from '../direct.ts';
import type { Session } from '../session.ts';
import { groupText, timeText } from '../words.ts';
import type { RepositoryAssignment } from '../../tasks/kinds/assignment.ts';
import type { StatusView } from '../../daemon/api/contract.ts';
import { locationText, locationUrl } from '../location-text.ts';
import type { Run } from './command.ts';
import { printKit } from './key.ts';
import { reading } from './snapshots.ts';

export function addRepository(program: Command, run: Run): void {
  const repository = program.command('repository').description('repositories, each with keys of its own');
  repository
    .command('list', { isDefault: true })
    .description('those of the configuration')
    .action(() => run((session) => list(session)));
  repository
    .command('init')
    .description('create an empty repository (--repository) and print its recovery kit')
    .action(() => run((session) => init(session)));
  repository
    .command('info')
    .description('what lies in a repository (--repository)')
    .action(() => run((session) => info(session)));
  repository
    .command('probe')
    .description('find out what its storage can do')
    .action(() => run((session) => probe(session)));
}

async function list(session: Session): Promise<number> {
  const config = await session.config();
  const assignments = Object.keys(config.repositories).map((name) => repositoryAssignment(config, name));
  const status = session.isDirect ? undefined : await statusIfRunning(session);
  session.output.rows(
    assignments.map(({ name, location, readOnly }) => {
      const known = status?.repositories.find((one) => one.name === name);
      return {
        name,
        kind: location.type,
        location: locationText(location),
        readOnly,
        seenMs: known?.seenMs,
        committedMs: known?.committedMs,
      };
    }),
    [
      { title: 'NAME', value: ({ name }) => name },
      { title: 'KIND', value: ({ kind }) => kind },
      { title: 'LOCATION', value: ({ location }) => location },
      { title: 'SEEN', value: ({ seenMs }) => timeText(seenMs) },
      { title: 'COMMITTED', value: ({ committedMs }) => timeText(committedMs) },
      { title: '', value: ({ readOnly }) => (readOnly ? 'read-only' : '') },
    ],
    'No repositories.',
  );
  return 0;
}

/** What the daemon knows is an extra here: without one the list is still right. */
async function statusIfRunning(session: Session): Promise<StatusView | undefined> {
  try {
    return await (await session.client()).get<StatusView>('/status');
  } catch {
    return undefined;
  }
}

async function init(session: Session): Promise<number> {
  const { initAssigned } = await import('../../tasks/kinds/open.ts');
  const { output } = session;
  const assignment = await session.repository();
  const made = await initAssigned(assignment, await siblings(session, assignment), await engineAround(session));
  for (const { name, verdict, detail } of made.probe.checks) output.note(`${verdict.padEnd(6)} ${name}: ${detail}`);
  printKit(session, {
    name: assignment.name,
    location: locationUrl(assignment.location),
    id: made.id,
    code: made.recoveryCode,
  });
  return 0;
}

/** The other repositories of the configuration: a new one joins their family. */
async function siblings(session: Session, assignment: RepositoryAssignment): Promise<readonly RepositoryAssignment[]> {
  const config = await session.configIfAny();
  if (config?.repositories[assignment.name] === undefined) return [];
  return Object.keys(config.repositories)
    .filter((name) => name !== assignment.name)
    .map((name) => repositoryAssignment(config, name));
}

async function info(session: Session): Promise<number> {
  const { output } = session;
  const assignment = await session.repository();
  const rows = await reading(session, (reader) => reader.snapshots());
  const [newest] = rows;
  const groups = new Set(rows.map(({ group }) => group)).size;
  const sizeBytes = rows.reduce((total, row) => total + row.sizeBytes, 0);
  const location = locationText(assignment.location);
  output.object({ name: assignment.name, location, snapshots: rows.length, groups, sizeBytes, newest });
  output.line(`${assignment.name}: ${location}`);
  output.line(`  ${String(rows.length)} snapshots of ${String(groups)} groups, ${formatSize(sizeBytes)} as restored`);
  if (newest)
    output.line(
      `  newest: ${groupText(newest.group)} of ${timeText(newest.timeMs)}, committed ${timeText(newest.committedMs)}`,
    );
  return 0;
}

async function probe(session: Session): Promise<number> {
  const { probeAssigned } = await import('../../tasks/kinds/open.ts');
  const { output } = session;
  const report = await probeAssigned(await session.repository(), await engineAround(session));
  output.object(report);
  for (const { name, verdict, detail } of report.checks) output.line(`${verdict.padEnd(6)} ${name}: ${detail}`);
  if (report.left.length > 0)
    output.line(`${String(report.left.length)} small objects below probe/ could not be removed.`);
  return report.checks.some(({ verdict }) => verdict === 'bad') ? 3 : 0;
}
