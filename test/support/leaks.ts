/**
 * What a test may leave behind: nothing. Counted are worker threads, child processes, servers, file watchers and open
 * files. Sockets and timers are not: HTTP agents keep some of their own.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';
import { systemClock } from '../../src/core/clock.ts';

const watched: ReadonlySet<string> = new Set(['ProcessWrap', 'TCPServerWrap', 'FSEventWrap']);
const workers = new Set<Worker>();

/** Workers are not among the resources Node reports; it tells when one is made. */
export function watchWorkers(): void {
  process.on('worker', (worker) => {
    workers.add(worker);
    worker.once('exit', () => workers.delete(worker));
  });
}

/** Files only: pipes, sockets, devices and memory come and go with the runtime. Linux only; elsewhere none. */
function openFiles(): string[] {
  try {
    return readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const target = readlinkSync(`/proc/self/fd/${fd}`);
        return target.startsWith('/') && !/^\/(dev|proc|sys|memfd:)/.test(target) ? [`file ${target}`] : [];
      } catch {
        return []; // closed meanwhile: the descriptor of this very listing
      }
    });
  } catch {
    return [];
  }
}

/** One line per open thing; the same thing opened twice is listed twice. */
export function openThings(): string[] {
  const handles = process.getActiveResourcesInfo().filter((type) => watched.has(type));
  return [...handles, ...[...workers].map((worker) => `worker ${String(worker.threadId)}`), ...openFiles()];
}

function beyond(before: readonly string[], after: readonly string[]): string[] {
  const left = [...before];
  return after.filter((thing) => {
    const at = left.indexOf(thing);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

/** What is open now and was not `before`. Closing takes a few turns of the event loop, so it looks again for a while. */
export async function leaksSince(before: readonly string[], patienceMs = 1000): Promise<string[]> {
  const until = systemClock.monotonic() + patienceMs;
  for (;;) {
    const leaks = beyond(before, openThings());
    if (leaks.length === 0 || systemClock.monotonic() > until) return leaks;
    await systemClock.sleep(10);
  }
}
