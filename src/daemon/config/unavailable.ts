/** Keys of the vocabulary whose part is not built yet. A change that builds a part removes its line. */

export interface Unavailable {
  /** `*` stands for one name or place in a list. */
  readonly path: string;
  /** What a person asked for, as the subject of *is not available yet*. */
  readonly what: string;
  /** Only these values; absent: every value. */
  readonly when?: (value: unknown) => boolean;
}

const backupKeys: readonly (readonly [key: string, what: string])[] = [
  ['window', 'a time window'],
  ['bandwidth', 'a bandwidth limit'],
  ['prune', 'prune'],
  ['drill', 'the restore drill'],
  ['goal', 'a goal'],
  ['hooks', 'hooks'],
];

const repositoryKeys: readonly (readonly [key: string, what: string])[] = [
  ['bandwidth', 'a bandwidth limit'],
  ['commitEvery', 'a commit interval'],
  ['gc', 'gc'],
  ['goal', 'a goal'],
  ['budget', 'a budget'],
  ['maintenance', 'a second credential for maintenance'],
  ['gateway.databaseCopy', "copying the gateway's database"],
  ['check.everyByteWithin', 'reading every byte within a time'],
];

export const unavailable: readonly Unavailable[] = [
  { path: 'daemon.listen', what: 'listening on other addresses than loopback', when: isRemoteAddress },
  { path: 'daemon.tls', what: 'TLS' },
  { path: 'daemon.behindProxy', what: 'running behind a proxy' },
  { path: 'daemon.roots', what: 'roots for restore and browse' },
  { path: 'daemon.readOnly', what: 'a daemon that is read-only', when: (value) => value === true },
  { path: 'daemon.allowRemoteCommands', what: 'changing commands by network', when: (value) => value === true },
  { path: 'log.format', what: 'the log format `ecs`', when: (value) => value === 'ecs' },
  { path: 'log.file', what: 'a log file' },
  { path: 'bandwidth', what: 'a bandwidth limit' },
  { path: 'notifications', what: 'notifications' },
  { path: 'backups.*.source', what: 'a source of type `files` or `command`', when: isOtherSource },
  ...backupKeys.flatMap(([key, what]) => [
    { path: `defaults.${key}`, what },
    { path: `backups.*.${key}`, what },
  ]),
  ...repositoryKeys.flatMap(([key, what]) => [
    { path: `repositories.*.${key}`, what },
    { path: `backups.*.repositories.*.${key}`, what },
  ]),
];

export interface UnavailableKey {
  readonly path: readonly (string | number)[];
  readonly what: string;
  readonly hint: string;
}

/** Every key of `raw` that the table names. */
export function unavailableKeys(raw: unknown): readonly UnavailableKey[] {
  return unavailable.flatMap(({ path, what, when }) =>
    matches(raw, path.split('.'), [])
      .filter(({ value }) => when?.(value) ?? true)
      .map((match) => ({ path: match.path, what, hint: when ? 'Use another value.' : 'Remove this key.' })),
  );
}

interface Match {
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

function matches(value: unknown, pattern: readonly string[], path: readonly (string | number)[]): readonly Match[] {
  const [head, ...rest] = pattern;
  if (head === undefined) return [{ path, value }];
  if (typeof value !== 'object' || value === null) return [];
  const entries: readonly (readonly [string | number, unknown])[] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return entries
    .filter(([key]) => head === '*' || head === key)
    .flatMap(([key, inner]) => matches(inner, rest, [...path, key]));
}

function isOtherSource(source: unknown): boolean {
  const type = typeof source === 'object' && source !== null && 'type' in source ? source.type : undefined;
  return type === 'files' || type === 'command';
}

/** A valid address that is not loopback; nonsense is not *unavailable* but wrong. */
export function isRemoteAddress(listen: unknown): boolean {
  const [, host] = (typeof listen === 'string' ? /^(.+):\d+$/.exec(listen) : undefined) ?? [];
  return host !== undefined && !listenHosts.has(host);
}

/** Hosts that only this machine reaches. */
export const listenHosts: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost']);
