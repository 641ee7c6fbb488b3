import { closeSync, fsyncSync, openSync } from 'node:fs';

/** fsync of a file or folder, on the thread of the database. A failure is thrown and final. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
