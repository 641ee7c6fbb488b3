/**
 * Starts worker threads and child processes from this project's own modules, both from the compiled JavaScript and,
 * during development and tests, straight from TypeScript (Node 20 strips no types, so `entry-dev.mjs` loads tsx first).
 */
import { fork, type ChildProcess, type ForkOptions } from 'node:child_process';
import { Worker, type WorkerOptions } from 'node:worker_threads';

interface Entry {
  readonly url: URL;
  readonly args: readonly string[];
}

function entry(caller: string, module: string): Entry {
  if (!caller.endsWith('.ts')) return { url: new URL(`${module}.js`, caller), args: [] };
  return { url: new URL('./entry-dev.mjs', import.meta.url), args: [new URL(`${module}.ts`, caller).href] };
}

/** A worker thread of `module` (relative, without extension), as seen from the file `caller` (`import.meta.url`). */
export function startWorker(caller: string, module: string, options: WorkerOptions = {}): Worker {
  const { url, args } = entry(caller, module);
  return new Worker(url, { ...options, argv: [...args, ...((options.argv ?? []) as readonly string[])] });
}

/** A child process with an IPC channel; the same rules as `startWorker`. */
export function forkProcess(
  caller: string,
  module: string,
  args: readonly string[],
  options: ForkOptions,
): ChildProcess {
  const start = entry(caller, module);
  return fork(start.url, [...start.args, ...args], options);
}
