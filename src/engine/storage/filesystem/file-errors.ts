import { NesteggError, StorageError, messageOf, systemCode, type StorageCode } from '../../../core/errors.ts';

type Meaning = readonly [code: StorageCode, hint?: string];

const full: Meaning = [
  'storage.full',
  'Free space on the disk of the repository, or raise the quota; what was stored stays.',
];
const readOnly: Meaning = [
  'storage.refused',
  'The filesystem is mounted read-only; a disk with errors is often remounted so.',
];
const denied: Meaning = ['storage.refused', 'Give the user Nestegg runs as read and write access to the folder.'];
const gone: Meaning = ['storage.unavailable', 'Check that the disk or share is connected and mounted.'];
const busy: Meaning = ['storage.unavailable'];
const dying: Meaning = ['storage.failed', 'The disk reports errors; look at the kernel log and its SMART data.'];
const outside: Meaning = [
  'storage.refused',
  'Symbolic links and other special files below a repository are not followed.',
];

const meanings: Readonly<Record<string, Meaning>> = {
  ENOSPC: full,
  EDQUOT: full,
  EROFS: readOnly,
  EACCES: denied,
  EPERM: denied,
  ESTALE: gone,
  ENOTCONN: gone,
  EHOSTDOWN: gone,
  EHOSTUNREACH: gone,
  ENETUNREACH: gone,
  ENOENT: gone,
  ENODEV: gone,
  ENXIO: gone,
  ETIMEDOUT: ['storage.timeout'],
  EAGAIN: busy,
  EBUSY: busy,
  EINTR: busy,
  EMFILE: busy,
  ENFILE: busy,
  ENOMEM: busy,
  EIO: dying,
  ELOOP: outside,
  ENOTDIR: outside,
  EISDIR: outside,
};

/** What a failed system call means to the caller of a store. `doing` says what, to what; our own errors pass through. */
export function fileError(doing: string, error: unknown): NesteggError {
  return error instanceof NesteggError ? error : storageError(doing, error);
}

/** What a failed fsync means: the disk is full, or nobody knows what was written. Never worth a retry on the same file. */
export function syncError(doing: string, error: unknown): StorageError {
  const code = systemCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return storageError(doing, error);
  }
  return new StorageError('storage.failed', `${doing}: fsync failed (${code ?? String(error)})`, {
    cause: error,
    hint: 'The disk could not write what it had accepted; look at the kernel log and its SMART data.',
  });
}

function storageError(doing: string, error: unknown): StorageError {
  const [code, hint] = meanings[systemCode(error) ?? ''] ?? (['storage.failed'] satisfies Meaning);
  return new StorageError(code, `${doing}: ${messageOf(error)}`, {
    cause: error,
    retry: code === 'storage.unavailable' || code === 'storage.timeout' ? 'later' : 'never',
    ...(hint === undefined ? {} : { hint }),
  });
}
