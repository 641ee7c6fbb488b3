/** Where snapshots go in the target. Pure. */
import { CorruptionError, UsageError } from '../../core/errors.ts';
import type { SnapshotRecord } from '../format/snapshot.ts';
import { isBackupTime, isNamespace, isSafeId, type SnapshotName } from '../pbs/layout.ts';

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

/**
 * @throws UsageError when the namespace would be one that PBS does not allow; CorruptionError when the record names what
 * no datastore can hold: whoever has the keys can write such a record, and names become paths.
 */
export function placeOf(record: SnapshotRecord, common: string, target: string | undefined): SnapshotName {
  const { namespace, backupType, backupId, backupTime } = record.source;
  if (!isNamespace(namespace) || !isSafeId(backupId) || !isBackupTime(backupTime)) {
    throw new CorruptionError(`the snapshot record names an impossible snapshot: ${JSON.stringify(backupId)}`);
  }
  const below = namespace.slice(common === '' ? 0 : common.length + 1);
  const placed = target === undefined ? namespace : [target, below].filter((part) => part !== '').join('/');
  if (!isNamespace(placed)) {
    throw new UsageError(`${JSON.stringify(placed)} is not a namespace that PBS allows`, {
      hint: 'Namespaces have up to 7 names of letters, digits, dots, dashes and underscores, joined by slashes.',
    });
  }
  return { namespace: placed, type: backupType, id: backupId, timeSeconds: backupTime };
}
