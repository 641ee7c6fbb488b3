/** What no schema can say: that names exist, that nothing contradicts. */
import type { ConfigProblem } from './config.ts';
import type { Vocabulary, VocabularyBackup, VocabularyRepository } from './schema.ts';
import { parseListen } from './listen.ts';
import type { ConfigSource, Path } from './source.ts';
import { didYouMean } from './suggestions.ts';
import { isRemoteAddress } from './unavailable.ts';

/**
 * @param values what the schema accepted, with defaults filled in
 * @param names of all repositories, also those that the schema refused
 */
export function referenceProblems(
  source: ConfigSource,
  values: Vocabulary,
  names: readonly string[],
): readonly ConfigProblem[] {
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
    checkBackup(name, backup, { values, names, locations }, complain);
  }
  return problems;
}

type Complain = (path: Path, message: string, hint?: string) => void;

function checkTop(values: Vocabulary, complain: Complain): void {
  const { timezone, daemon } = values;
  if (timezone !== undefined && !isTimezone(timezone)) {
    complain(['timezone'], `\`${timezone}\` is not a time zone`, 'Names are those of the IANA: `Europe/Paris`, `UTC`.');
  }
  if (daemon?.listen !== undefined && !parseListen(daemon.listen) && !isRemoteAddress(daemon.listen)) {
    const hint = 'Write `127.0.0.1:8480`, `[::1]:8480`, `localhost:8480` or `unix:/run/nestegg.sock`.';
    complain(['daemon', 'listen'], `\`${daemon.listen}\` is not an address to listen on`, hint);
  }
}

/** What is known of all repositories. `locations`: from the place to the first name for it. */
interface Known {
  readonly values: Vocabulary;
  readonly names: readonly string[];
  readonly locations: Map<string, string>;
}

function checkBackup(name: string, backup: VocabularyBackup, known: Known, complain: Complain): void {
  const path = ['backups', name];
  const seen = new Set<string>();
  backup.repositories.forEach((entry, index) => {
    const at = [...path, 'repositories', index];
    const repository = repositoryName(name, entry);
    if (seen.has(repository)) complain(at, `the repository \`${repository}\` stands here twice`);
    seen.add(repository);
    if (typeof entry === 'object' && 'type' in entry) checkInline(at, repository, entry, known, complain);
    else checkReference(at, repository, known, complain);
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

function checkReference(at: Path, name: string, { values, names }: Known, complain: Complain): void {
  const repositories = values.repositories ?? {};
  if (!names.includes(name)) complain(at, `there is no repository \`${name}\`${didYouMean(name, names)}`);
  else if (Object.hasOwn(repositories, name) && repositories[name]?.readOnly === true) {
    const message = `the repository \`${name}\` is read-only, so no backup can go there`;
    complain(at, message, 'Remove its `readOnly`, or this line.');
  }
}

function checkInline(at: Path, name: string, repository: VocabularyRepository, known: Known, complain: Complain): void {
  if (known.names.includes(name)) complain(at, `there is a repository \`${name}\` already`);
  else checkLocation(at, name, repository, known.locations, complain);
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
