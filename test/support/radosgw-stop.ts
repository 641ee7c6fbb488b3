import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.ts';

const patienceMs = 15_000;

/** Ends the processes of one scratch directory, by its pid files and only if they run with its configuration. */
export async function stopByPidFiles(directory: string): Promise<void> {
  const running = pidsOf(directory);
  for (const pid of running) signal(pid, 'SIGTERM');
  const untilMs = systemClock.monotonic() + patienceMs;
  while (running.some((pid) => belongs(pid, directory))) {
    if (systemClock.monotonic() > untilMs) {
      for (const pid of running) if (belongs(pid, directory)) signal(pid, 'SIGKILL');
      return;
    }
    await systemClock.sleep(50);
  }
}

/** Ends and removes the clusters of test runs that died without stopping theirs. */
export async function stopLeftovers(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const directory = join(tmpdir(), name);
    if (!/^nestegg-radosgw-/.test(name) || !existsSync(join(directory, 'owner'))) continue;
    if (existsSync(`/proc/${readFileSync(join(directory, 'owner'), 'utf8')}`)) continue;
    await stopByPidFiles(directory);
    await rm(directory, { recursive: true, force: true });
  }
}

function pidsOf(directory: string): readonly number[] {
  const folder = join(directory, 'run');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.pid'))
    .map((name) => Number(readFileSync(join(folder, name), 'utf8')))
    .filter((pid) => Number.isInteger(pid) && pid > 1 && belongs(pid, directory));
}

/** The process runs, and with our configuration: a pid may have been given to somebody else meanwhile. */
function belongs(pid: number, directory: string): boolean {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').includes(directory);
  } catch {
    return false;
  }
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {
    // Gone already.
  }
}
