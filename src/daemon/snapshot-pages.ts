/** Pages of a repository's snapshots, newest first. Pure. */
import type { SnapshotRow } from '../tasks/kinds/read-repository.ts';
import type { SnapshotPage, SnapshotQuery } from './api/contract.ts';

const defaultLimit = 100;

/** The cursor is the id of the last snapshot of the page before; when that is gone meanwhile, the first page is answered. */
export function snapshotPage(repository: string, rows: readonly SnapshotRow[], query: SnapshotQuery): SnapshotPage {
  const fitting = rows.filter(
    (row) =>
      (query.backup === undefined || row.backup === query.backup) &&
      (query.group === undefined || row.group === query.group),
  );
  const start = query.cursor === undefined ? 0 : fitting.findIndex(({ id }) => id === query.cursor) + 1;
  const page = fitting.slice(start, start + (query.limit ?? defaultLimit));
  const last = page.at(-1);
  const more = start + page.length < fitting.length;
  return {
    snapshots: page.map((row) => ({ ...row, repository })),
    total: fitting.length,
    ...(more && last ? { next: last.id } : {}),
  };
}
