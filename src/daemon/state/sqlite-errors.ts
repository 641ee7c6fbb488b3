/** Errors of SQLite as errors of the project. */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf, NesteggError } from '../../core/errors.ts';

/** Below this a write that failed without saying why is taken for one that found no space. */
const nearlyFullBytes = 1024 * 1024;

const loseHint =
  'Move the file away and start again: queue and history are lost, but nothing in it is needed to restore.';

/**
 * `act` with every error turned into NesteggError: `state.full` (SQLITE_FULL, or an input/output error while the disk is
 * full), `state.corrupt`, else `state.failed`.
 */
export function sqliteErrors<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw error instanceof NesteggError ? error : stateError(path, error);
  }
}

export function stateError(path: string, error: unknown): NesteggError {
  const text = messageOf(error);
  const details = { cause: error, context: { path } };
  if (/disk is full/.test(text) || (/disk I\/O error/.test(text) && isNearlyFull(path))) {
    return new NesteggError('state.full', `the state database ${path} cannot be written: the disk is full`, {
      ...details,
      retry: 'later',
      hint: 'Free some space; the daemon goes on by itself.',
    });
  }
  if (/malformed|not a database/.test(text)) return corruptState(path, text, error);
  return new NesteggError('state.failed', `the state database ${path} failed: ${text}`, { ...details, retry: 'later' });
}

export function corruptState(path: string, why: string, cause?: unknown): NesteggError {
  return new NesteggError('state.corrupt', `the state database ${path} cannot be used: ${why}`, {
    cause,
    hint: loseHint,
    context: { path },
  });
}

function isNearlyFull(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < nearlyFullBytes;
  } catch {
    return false;
  }
}
