/**
 * # The demo
 *
 * Words: the *machine* is a folder with everything an administrator has: datastore, configuration, secrets, state and a
 * repository in a directory. The *gateway* is a process that simulates a Sia gateway on another machine. A *step* prints
 * one line.
 *
 * Invariants: it works in one folder and listens on loopback alone, on free ports; it ends only processes it started, and
 * leaves none behind; what it shows is done by the built command line and the daemon, as a user would, but for writing and
 * comparing datastores; every figure is measured.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemClock } from '../../src/core/clock.ts';
import { CancelledError, isCancellation, messageOf } from '../../src/core/errors.ts';
import { formatSize } from '../../src/core/units.ts';
import { Processes } from './processes.ts';
import { Steps } from './steps.ts';
import { Story } from './story.ts';
import { printSummary } from './summary.ts';
import { DemoError, makeFolders, removeFolders, type World } from './world.ts';

export interface DemoOptions {
  /** Ends after the last step. */
  readonly once: boolean;
  /** Works there, and leaves it. */
  readonly folder: string | undefined;
  /** The project. */
  readonly root: string;
}

/** Answers the exit code. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const steps = new Steps(systemClock, process.stdout);
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      stop.abort(new CancelledError());
    });
  }
  let world: World;
  try {
    const folders = makeFolders(options.folder);
    const processes = new Processes(systemClock);
    world = { root: options.root, folders, clock: systemClock, processes, steps, signal: stop.signal };
  } catch (error) {
    printError(error);
    return 1;
  }
  steps.line(`\nEverything happens in ${world.folders.top}\n`);
  return play(world, options);
}

async function play(world: World, options: DemoOptions): Promise<number> {
  let keep = options.folder !== undefined;
  try {
    await tell(world, options.once);
    return 0;
  } catch (error) {
    if (world.signal.aborted && isCancellation(world.signal.reason)) {
      world.steps.line('\nStopped.');
      return 130;
    }
    printError(error);
    keep = true;
    return 1;
  } finally {
    if (!keep) world.steps.line(`\nEnding the processes and removing ${world.folders.top} …`);
    await world.processes.stopAll();
    if (keep) world.steps.line(`\nLogs: ${world.folders.logs}. Remove ${world.folders.top} when you have seen enough.`);
    else removeFolders(world.folders);
  }
}

async function tell(world: World, once: boolean): Promise<void> {
  const { steps, signal } = world;
  const story = new Story(world);
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => {
      // What a step waits for ends with its processes.
      void world.processes.stopAll();
      reject(new CancelledError());
    });
  });
  stopped.catch(() => undefined);
  for (const [step, work] of story.steps) {
    signal.throwIfAborted();
    await steps.run(step, (now) => Promise.race([work(now), stopped]));
  }
  printSummary(steps, story.figures);
  if (once) await story.daemon.stop();
  else await stayUp(world, story);
}

/** Until Ctrl-C; each Enter makes another snapshot appear, for the watch to find. */
async function stayUp({ steps, signal, folders, root }: World, story: Story): Promise<void> {
  const { daemon, machine } = story;
  const token = readFileSync(join(machine.state, 'token'), 'utf8').trim();
  steps.heading('The daemon is still running');
  steps.line(`  Page     ${daemon.address}`);
  steps.line(`  Token    ${join(machine.state, 'token')}; this address brings it along:`);
  steps.line(`           ${daemon.address}/#token=${token}`);
  steps.line(`  Try      node ${join(root, 'dist/cli/main.js')} --config ${machine.configFile} tasks`);
  steps.line(`  Logs     ${folders.logs}`);
  const interactive = process.stdin.isTTY;
  steps.line(`\n  ${interactive ? 'Enter makes another snapshot appear. ' : ''}Ctrl-C ends it all.`);
  const input = interactive ? createInterface({ input: process.stdin }) : undefined;
  input?.on('line', () => {
    void story.addSnapshot().then(({ name, sizeBytes }) => {
      steps.line(`  ${name.type}/${name.id}, ${formatSize(sizeBytes)}: the watch will find it in some seconds.`);
    });
  });
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    if (signal.aborted) resolve();
    // Without a terminal nothing else keeps this process alive.
    void systemClock.sleep(2 ** 48, { signal }).catch(() => undefined);
  });
  input?.close();
}

function printError(error: unknown): void {
  process.stderr.write(`\n${messageOf(error)}\n`);
  if (error instanceof DemoError && error.hint !== undefined) process.stderr.write(`  hint: ${error.hint}\n`);
  else if (!(error instanceof DemoError) && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
}
