/** What the map tells about one selected backup or repository. */
import type {
  BackupRepositoryView,
  BackupView,
  RepositoryView,
  StatusView,
  TaskProblem,
} from '../../../src/daemon/api/contract.ts';
import { bytes } from './format.ts';
import type { Selection } from './map.ts';
import { lookOf, priorityWord, type Look } from './words.ts';

/** Either text, or a time. */
export type Fact =
  | { readonly name: string; readonly text: string; readonly ms?: undefined }
  | { readonly name: string; readonly text?: undefined; readonly ms: number };

export interface DetailLine {
  readonly name: string;
  readonly look: Look;
  readonly committedMs: number | undefined;
  readonly stored: string | undefined;
  readonly problem: TaskProblem | undefined;
}

export interface Details {
  readonly title: string;
  readonly facts: readonly Fact[];
  readonly lines: readonly DetailLine[];
}

function time(name: string, ms: number | undefined): Fact[] {
  return ms === undefined ? [] : [{ name, ms }];
}

function lineOf(name: string, line: BackupRepositoryView): DetailLine {
  return {
    name,
    look: lookOf(line.state),
    committedMs: line.committedMs,
    stored: line.last && bytes(line.last.storedBytes),
    problem: line.last?.problem,
  };
}

function aboutBackup(backup: BackupView): Details {
  const asked = [...backup.schedules, ...(backup.watched ? ['when it changes'] : [])];
  return {
    title: `Backup ${backup.name}`,
    facts: [
      { name: 'Source', text: backup.source.label },
      { name: 'Runs', text: asked.length === 0 ? 'only on request' : asked.join(', ') },
      ...time('Next', backup.nextFireMs),
      { name: 'Priority', text: priorityWord(backup.priority) },
    ],
    lines: backup.repositories.map((line) => lineOf(line.repository, line)),
  };
}

function aboutRepository(repository: RepositoryView, backups: readonly BackupView[]): Details {
  return {
    title: `Repository ${repository.name}`,
    facts: [
      { name: 'Location', text: repository.location },
      ...time('Committed', repository.committedMs),
      ...time('Off-site up to', repository.offsiteMs),
      ...time('Seen', repository.seenMs),
      ...(repository.readOnly ? [{ name: 'Access', text: 'read only' }] : []),
    ],
    lines: backups.flatMap((backup) =>
      backup.repositories
        .filter((line) => line.repository === repository.name)
        .map((line) => lineOf(backup.name, line)),
    ),
  };
}

/** `undefined` when what was selected is no longer configured. */
export function detailsOf(status: StatusView, selection: NonNullable<Selection>): Details | undefined {
  if (selection.side === 'backup') {
    const backup = status.backups.find(({ name }) => name === selection.name);
    return backup && aboutBackup(backup);
  }
  const repository = status.repositories.find(({ name }) => name === selection.name);
  return repository && aboutRepository(repository, status.backups);
}
