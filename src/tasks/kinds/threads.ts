import { availableParallelism } from 'node:os';

/** Compute threads: as asked for, else one core less than there are, so that everything else goes on. */
export function threadsFor(asked: number | undefined): number {
  return asked ?? Math.max(1, Math.min(8, availableParallelism() - 1));
}
