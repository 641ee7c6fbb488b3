import { constants } from 'node:fs';
import { equalBytes, toHex } from '../../../core/bytes.ts';
import type { Random } from '../../../core/random.ts';
import { StorageError, systemCode } from '../../../core/errors.ts';
import { checkSignal, pacedPieces } from '../calls.ts';
import type { CallOptions } from '../storage.ts';
import type { FileCalls, OpenFile } from './file-calls.ts';
import { syncError } from './file-errors.ts';

/** A file that is being written. `~` is in no object's name, so that neither a reader nor a listing ever meets one. */
export const temporaryName = /^\.[0-9a-f]{24}\.tmp~$/;

/** Between two pieces of this size a signal is looked at. */
export const pieceBytes = 4 * 2 ** 20;

export function newTemporaryName(random: Random): string {
  return `.${toHex(random.bytes(12))}.tmp~`;
}

export interface WriteOptions extends CallOptions {
  /** Read everything back before it may get its name: network mounts have returned success for truncated files. */
  readonly readBack: boolean;
}

/**
 * Writes a new file and makes its content durable. Leaves nothing behind when it throws, unless the process dies.
 * @throws StorageError, CancelledError; Node system errors.
 */
export async function writeTemporary(
  files: FileCalls,
  path: string,
  bytes: Uint8Array,
  options: WriteOptions,
): Promise<void> {
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  const file = await files.open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    try {
      await fill(file, path, bytes, options);
    } finally {
      await file.close();
    }
    if (options.readBack && !(await holds(files, path, bytes, options.signal))) throw unlike(path);
  } catch (error) {
    await discard(files, path);
    throw error;
  }
}

/** Removes a temporary file. One that stays is removed as a leftover later, so that its trouble hides no other. */
export async function discard(files: FileCalls, path: string): Promise<void> {
  await files.unlink(path).catch(() => undefined);
}

/** Whether the file has exactly these bytes. @throws Node system errors (ENOENT: there is none). */
export async function holds(
  files: FileCalls,
  path: string,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const file = await files.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    if ((await file.stat()).size !== bytes.byteLength) return false;
    const piece = new Uint8Array(Math.min(pieceBytes, bytes.byteLength));
    for (let at = 0; at < bytes.byteLength;) {
      checkSignal(signal);
      const { bytesRead } = await file.read(piece, 0, Math.min(piece.byteLength, bytes.byteLength - at), at);
      if (bytesRead === 0 || !equalBytes(piece.subarray(0, bytesRead), bytes.subarray(at, at + bytesRead)))
        return false;
      at += bytesRead;
    }
    return true;
  } finally {
    await file.close();
  }
}

async function fill(file: OpenFile, path: string, bytes: Uint8Array, options: CallOptions): Promise<void> {
  let at = 0;
  for await (const piece of pacedPieces(bytes, options.pace, pieceBytes)) {
    for (let done = 0; done < piece.byteLength;) {
      checkSignal(options.signal);
      const { bytesWritten } = await file.write(piece, done, piece.byteLength - done, at + done);
      if (bytesWritten === 0) throw new StorageError('storage.failed', `writing ${path}: the disk takes no more bytes`);
      done += bytesWritten;
    }
    at += piece.byteLength;
  }
  checkSignal(options.signal);
  try {
    await file.sync();
  } catch (error) {
    throw syncError(`writing ${path}`, error);
  }
  if ((await file.stat()).size !== bytes.byteLength) throw unlike(path);
}

function unlike(path: string): StorageError {
  return new StorageError('storage.failed', `writing ${path}: what is on the disk is not what was written`, {
    hint: 'The disk, the share or the memory of this machine is faulty.',
  });
}

/** Whether link(2) failed because this filesystem has no hard links (FAT, some shares). */
export function linksMissing(error: unknown): boolean {
  return ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(systemCode(error) ?? '');
}
