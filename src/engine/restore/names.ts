/** Where snapshots go in the target. Pure. */
import { UsageError } from '../../core/errors.ts';
import type { SnapshotRecord } from '../format/snapshot.ts';
import { isNamespace, type SnapshotName } from '../pbs/layout.ts';

/** The innermost namespace that holds all of these; empty for the root. */
export function commonNamespace(namespaces: readonly string[]): string {
  const [first = '', ...others] = namespaces;
  let parts = first === '' ? [] : first.split('/');
  for (const other of others) {
    const theirs = other === '' ? [] : other.split('/');
    const differs = parts.findIndex((part, at) => part !== theirs[at]);
    if (differs >= 0) parts = parts.slice(0, differs);
  }
  return parts.join('/');
}

/** @throws UsageError when the namespace would be one that PBS does not allow. */
export function placeOf(record: SnapshotRecord, common: string, target: string | undefined): SnapshotName {
  const { namespace, backupType, backupId, backupTime } = record.source;
  const below = namespace.slice(common === '' ? 0 : common.length + 1);
  const placed = target === undefined ? namespace : [target, below].filter((part) => part !== '').join('/');
  if (!isNamespace(placed)) {
    throw new UsageError(`${JSON.stringify(placed)} is not a namespace that PBS allows`, {
      hint: 'Namespaces have up to 7 names of letters, digits, dots, dashes and underscores, joined by slashes.',
    });
  }
  return { namespace: placed, type: backupType, id: backupId, timeSeconds: backupTime };
}
