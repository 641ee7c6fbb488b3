import type { Command } from 'commander';
import { formatSize } from '../../core/units.ts';
import type { SnapshotDetails, SnapshotPage, SnapshotView } from '../../daemon/api/contract.ts';
import { assignmentBase } from '../direct.ts';
import { cliLogger } from '../log.ts';
import { parseLimit } from '../parse.ts';
import type { RepositoryReader } from '../../tasks/kinds/read-repository.ts';
import type { Session } from '../session.ts';
import { groupText, timeText } from '../words.ts';
import type { Run } from './command.ts';

interface ListOptions {
  readonly backup?: string;
  readonly group?: string;
  readonly limit?: number;
}

export function addSnapshots(program: Command, run: Run): void {
  const snapshots = program.command('snapshots').description('the snapshots of a repository (--repository)');
  snapshots
    .command('list', { isDefault: true })
    .description('newest first')
    .option('--backup <name>', 'only of this backup')
    .option('--group <group>', 'only of this group, as shown in the list')
    .option('--limit <rows>', 'at most so many', parseLimit)
    .action((options: ListOptions) => run((session) => list(session, options)));
  snapshots
    .command('show')
    .description('one snapshot with its files')
    .argument('<snapshot>', 'id or unique prefix')
    .action((id: string) => run((session) => show(session, id)));
}

async function list(session: Session, options: ListOptions): Promise<number> {
  const rows = session.isDirect ? await listDirect(session, options) : await listFromDaemon(session, options);
  printSnapshots(session, rows.slice(0, options.limit));
  return 0;
}

export function printSnapshots(session: Session, rows: readonly SnapshotView[]): void {
  session.output.rows(
    rows,
    [
      { title: 'ID', value: ({ id }) => id.slice(0, 12) },
      { title: 'GROUP', value: ({ group }) => groupText(group) },
      { title: 'TIME', value: ({ timeMs }) => timeText(timeMs) },
      { title: 'SIZE', align: 'right', value: ({ sizeBytes }) => formatSize(sizeBytes) },
      { title: 'COMMITTED', value: ({ committedMs }) => timeText(committedMs) },
      { title: 'OFF-SITE', value: ({ offsiteMs }) => timeText(offsiteMs) },
      { title: 'BACKUP', value: ({ backup }) => backup },
      { title: '', value: ({ damaged }) => (damaged ? 'damaged' : '') },
    ],
    'No snapshots.',
  );
}

async function listFromDaemon(session: Session, options: ListOptions): Promise<readonly SnapshotView[]> {
  const client = await session.client();
  const path = `/repositories/${encodeURIComponent(await session.repositoryName())}/snapshots`;
  const found: SnapshotView[] = [];
  let cursor: string | undefined;
  do {
    const query = { backup: options.backup, group: options.group, cursor, limit: 1000 };
    const page: SnapshotPage = await client.get(path, query);
    found.push(...page.snapshots);
    cursor = page.next;
  } while (cursor !== undefined && (options.limit === undefined || found.length < options.limit));
  return found;
}

async function listDirect(session: Session, options: ListOptions): Promise<readonly SnapshotView[]> {
  return reading(session, async (reader, repository) => {
    const rows = await reader.snapshots();
    return rows
      .filter(({ backup }) => options.backup === undefined || backup === options.backup)
      .filter(({ group }) => options.group === undefined || group === options.group)
      .map((row) => ({ ...row, repository }));
  });
}

/** Opens the repository in this process, asks, and closes it. */
export async function reading<Answer>(
  session: Session,
  ask: (reader: RepositoryReader, repository: string) => Promise<Answer>,
): Promise<Answer> {
  const { openReader } = await import('../../tasks/kinds/reader.ts');
  const assignment = await session.repository();
  const { stateDirectory } = await assignmentBase(session);
  const reader = openReader(assignment, stateDirectory, cliLogger(session.world, session.options));
  try {
    return await ask(reader, assignment.name);
  } finally {
    await reader.close();
  }
}

async function show(session: Session, id: string): Promise<number> {
  const found = session.isDirect
    ? await reading(session, async (reader, repository) => ({ ...(await reader.snapshot(id)), repository }))
    : await (
        await session.client()
      ).get<SnapshotDetails>(
        `/repositories/${encodeURIComponent(await session.repositoryName())}/snapshots/${encodeURIComponent(id)}`,
      );
  printDetails(session, found);
  return 0;
}

function printDetails(session: Session, found: SnapshotDetails): void {
  const { output } = session;
  output.object(found);
  output.line(`${found.id} in ${found.repository}`);
  output.line(`  ${groupText(found.group)} of backup ${found.backup}, from ${found.device}`);
  output.line(
    `  taken ${timeText(found.timeMs)}, committed ${timeText(found.committedMs)}, off-site ${timeText(found.offsiteMs)}`,
  );
  if (found.pbs)
    output.line(
      `  datastore ${found.pbs.datastore}, owner ${found.pbs.owner ?? '-'}${found.pbs.protected ? ', protected' : ''}`,
    );
  if (found.damaged) output.line('  damaged: parts could not be read when it was backed up');
  for (const file of found.files) {
    const holes = file.holes > 0 ? `, ${String(file.holes)} holes` : '';
    output.line(`  ${file.name}  ${formatSize(file.sizeBytes)}${holes}`);
  }
}
