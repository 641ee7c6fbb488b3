/** The machine that the figures are of. */
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../src/core/clock.ts';
import { systemRandom } from '../src/core/random.ts';
import { formatSize } from '../src/core/units.ts';
import { rate } from './figures.ts';

const pieceBytes = 4 * 2 ** 20;

/** Lines for the head of the report. */
export function describeMachine(folder: string, writeBytes: number, clock: Clock): readonly string[] {
  const processor = `${String(availableParallelism())} × ${cpus()[0]?.model ?? 'unknown processor'}`;
  const written = rate(writeBytes, writeMs(folder, writeBytes, clock));
  return [
    `machine   ${processor}, ${formatSize(totalmem())} of memory, Node ${process.versions.node}`,
    `disk      ${written} (${formatSize(writeBytes)} of noise written in order, and fsync)`,
    `load      ${loadText()} before it began`,
  ];
}

/** Of the last 1, 5 and 15 minutes: above the number of processors, somebody else was working too. */
export function loadText(): string {
  return loadavg()
    .map((load) => load.toFixed(1))
    .join(' ');
}

function writeMs(folder: string, bytes: number, clock: Clock): number {
  const path = join(folder, 'disk-speed');
  const noise = systemRandom.bytes(pieceBytes);
  const descriptor = openSync(path, 'wx');
  try {
    const started = clock.monotonic();
    for (let written = 0; written < bytes; written += pieceBytes) writeSync(descriptor, noise);
    fsyncSync(descriptor);
    return clock.monotonic() - started;
  } finally {
    closeSync(descriptor);
    rmSync(path);
  }
}
