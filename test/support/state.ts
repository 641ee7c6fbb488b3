import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OsLock, OsLocks } from '../../src/core/os-lock.ts';

/** A fresh folder under the system's temporary one, and the function that removes it. */
export async function temporaryFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'nestegg-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Locks that only this process sees: enough where one process plays two daemons. */
export class ProcessLocks implements OsLocks {
  readonly held = new Set<string>();

  async acquire(path: string): Promise<OsLock | undefined> {
    if (this.held.has(path)) return undefined;
    this.held.add(path);
    const release = async (): Promise<void> => void this.held.delete(path);
    return { path, device: 0n, inode: 0n, lost: new AbortController().signal, release };
  }

  async close(): Promise<void> {
    this.held.clear();
  }
}
