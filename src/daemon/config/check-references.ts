/** What no schema can say: that names exist, that nothing contradicts. */
import type { ConfigProblem } from './config.ts';
import type { Vocabulary, VocabularyBackup, VocabularyRepository } from './schema.ts';
import { parseListen } from './listen.ts';
import type { ConfigSource, Path } from './source.ts';
import { didYouMean } from './suggestions.ts';

/** @param values what the schema accepted, with defaults filled in */
export function referenceProblems(source: ConfigSource, values: Vocabulary): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const complain: Complain = (path, message, hint) => {
    problems.push(source.problem('config.invalid', path, message, source.valueRange(path), hint));
  };
  checkTop(values, complain);
  const locations = new Map<string, string>();
  for (const [name, repository] of Object.entries(values.repositories ?? {})) {
    checkLocation(['repositories', name], name, repository, locations, complain);
  }
  for (const [name, backup] of Object.entries(values.backups ?? {})) {
    checkBackup(name, backup, values, locations, complain);
  }
  return problems;
}

type Complain = (path: Path, message: string, hint?: string) => void;

function checkTop(values: Vocabulary, complain: Complain): void {
  const { timezone, daemon } = values;
  if (timezone !== undefined && !isTimezone(timezone)) {
    complain(['timezone'], `\`${timezone}\` is not a time zone`, 'Names are those of the IANA: `Europe/Paris`, `UTC`.');
  }
  if (daemon?.listen !== undefined && !parseListen(daemon.listen)) {
    const hint = 'Write `127.0.0.1:8480`, `[::1]:8480`, `localhost:8480` or `unix:/run/nestegg.sock`.';
    complain(['daemon', 'listen'], `\`${daemon.listen}\` is not an address to listen on`, hint);
  }
}

function checkBackup(
  name: string,
  backup: VocabularyBackup,
  values: Vocabulary,
  locations: Map<string, string>,
  complain: Complain,
): void {
  const path = ['backups', name];
  const seen = new Set<string>();
  backup.repositories.forEach((entry, index) => {
    const at = [...path, 'repositories', index];
    const repository = repositoryName(name, entry);
    if (seen.has(repository)) complain(at, `the repository \`${repository}\` stands here twice`);
    seen.add(repository);
    if (typeof entry === 'object' && 'type' in entry) checkInline(at, repository, entry, values, locations, complain);
    else checkReference(at, repository, values, complain);
  });
  const { min, max } = backup.watch?.settle ?? {};
  if (min !== undefined && max !== undefined && min > max) {
    complain([...path, 'watch', 'settle', 'max'], '`max` is shorter than `min`');
  }
  backup.schedules?.forEach((schedule, index, all) => {
    if (all.findIndex((other) => other.text === schedule.text) < index) {
      complain([...path, 'schedules', index], `the schedule \`${schedule.text}\` stands here twice`);
    }
  });
}

function checkReference(at: Path, name: string, values: Vocabulary, complain: Complain): void {
  const known = values.repositories ?? {};
  const repository = Object.hasOwn(known, name) ? known[name] : undefined;
  if (!repository) complain(at, `there is no repository \`${name}\`${didYouMean(name, Object.keys(known))}`);
  else if (repository.readOnly === true) {
    complain(
      at,
      `the repository \`${name}\` is read-only, so no backup can go there`,
      'Remove its `readOnly`, or this line.',
    );
  }
}

function checkInline(
  at: Path,
  name: string,
  repository: VocabularyRepository,
  values: Vocabulary,
  locations: Map<string, string>,
  complain: Complain,
): void {
  if (Object.hasOwn(values.repositories ?? {}, name)) complain(at, `there is a repository \`${name}\` already`);
  else checkLocation(at, name, repository, locations, complain);
}

/** Two names for one place would let two tasks write there at once. */
function checkLocation(
  at: Path,
  name: string,
  repository: VocabularyRepository,
  locations: Map<string, string>,
  complain: Complain,
): void {
  const place =
    repository.type === 'filesystem'
      ? repository.path.replace(/\/+$/, '')
      : `${repository.endpoint.replace(/\/+$/, '')} ${repository.bucket} ${repository.prefix ?? ''}`;
  const other = locations.get(place);
  if (other === undefined) locations.set(place, name);
  else complain(at, `\`${name}\` is the same place as \`${other}\``, 'Use the one name in all backups.');
}

/** An inline repository without a name is called after its backup and type. */
export function repositoryName(backup: string, entry: VocabularyBackup['repositories'][number]): string {
  if (typeof entry === 'string') return entry;
  return entry.name ?? ('type' in entry ? `${backup}.${entry.type}` : '');
}

function isTimezone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
