/** Which snapshots a person means. Pure. */
import { NotFoundError, UsageError } from '../../core/errors.ts';
import type { SnapshotSummary } from '../../engine/index.ts';
import { oneByPrefix } from './reader.ts';

/**
 * `all`; an id or a unique prefix of one; a namespace `ns/a/b` with all below it; a group `[ns/a/b/]vm/100`, all of it or with
 * `@latest`, `@2026-11-21T04:00:00Z` or `@<seconds>` one snapshot of it.
 * @throws NotFoundError when one of the names fits nothing; UsageError
 */
export function selectSnapshots(all: readonly SnapshotSummary[], names: readonly string[]): readonly SnapshotSummary[] {
  const chosen = new Map<string, SnapshotSummary>();
  for (const name of names) for (const found of select(all, name)) chosen.set(found.id, found);
  return [...chosen.values()];
}

function select(all: readonly SnapshotSummary[], name: string): readonly SnapshotSummary[] {
  if (name === 'all') return all;
  if (/^[0-9a-f]{4,32}$/.test(name)) return [oneByPrefix(all, name)];
  const found = name.includes('/') ? byPlace(all, name) : [];
  if (found.length === 0) {
    throw new NotFoundError(`there is no snapshot ${name}`, { hint: '`nestegg snapshots` lists what is there.' });
  }
  return found;
}

function byPlace(all: readonly SnapshotSummary[], name: string): readonly SnapshotSummary[] {
  const [, path = '', time] = /^([^@]+)(?:@(.+))?$/.exec(name) ?? [];
  const [, group] = /(?:^|\/)((?:vm|ct|host)\/[^/]+)$/.exec(path) ?? [];
  // As PBS writes folders (`ns/a/ns/b`) and as people write namespaces (`ns/a/b`, `a/b`).
  const namespace = path
    .slice(0, group === undefined ? undefined : path.length - group.length)
    .replace(/^ns\//, '')
    .replace(/\/+$/, '')
    .replaceAll('/ns/', '/');
  if (group === undefined) return time === undefined ? below(all, namespace) : [];
  const members = all.filter((one) => one.group === `${namespace}|${group}`);
  if (time === undefined) return members;
  const newestFirst = [...members].sort((a, b) => b.timeMs - a.timeMs);
  if (time === 'latest') return newestFirst.slice(0, 1);
  const timeMs = parseTime(time);
  return members.filter((one) => one.timeMs === timeMs);
}

function below(all: readonly SnapshotSummary[], namespace: string): readonly SnapshotSummary[] {
  return all.filter(({ group }) => {
    const own = group.slice(0, group.indexOf('|'));
    return own === namespace || own.startsWith(`${namespace}/`);
  });
}

function parseTime(text: string): number {
  const timeMs = /^\d{9,12}$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(timeMs)) {
    throw new UsageError(`not a time: ${text}`, { hint: '`latest`, seconds, or as in 2026-11-21T04:00:00Z.' });
  }
  return timeMs;
}
