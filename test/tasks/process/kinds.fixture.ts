/** Tiny kinds that do what real ones never should, for the process host to survive. Started as a real process. */
import { spawn } from 'node:child_process';
import { systemClock } from '../../../src/core/clock.ts';
import { systemRandom } from '../../../src/core/random.ts';
import { taskKinds, type TaskKind } from '../../../src/tasks/task.ts';
import {
  repositoriesOf,
  type TaskAssignment,
  type TaskContext,
  type TaskKinds,
} from '../../../src/tasks/kinds/task-kind.ts';
import { emptyResult } from '../../../src/tasks/empty-result.ts';
import { hostLink, runTaskProcess } from '../../../src/tasks/process/task-process.ts';
import type { TaskResult } from '../../../src/tasks/task.ts';

type Act = (assignment: TaskAssignment, context: TaskContext) => Promise<TaskResult>;

async function forever(): Promise<never> {
  for (;;) await systemClock.sleep(3_600_000);
}

function resultOf(
  assignment: TaskAssignment,
  state: TaskResult['state'],
  details: Record<string, unknown>,
): TaskResult {
  return { ...emptyResult(state, repositoriesOf(assignment)), details };
}

const acts: Readonly<Record<string, Act>> = {
  work: async (assignment, context) => {
    for (let item = 1; item <= 100; item += 1) {
      context.progress({ phase: 'read', doneBytes: item, doneItems: item, uploadedBytes: 0, bytesPerSecond: 1 });
    }
    context.warning({ code: 'source.corrupt', message: 'a bad chunk' });
    context.log.warn('test.line', { answer: 42 });
    context.log.info('test.state', { directory: assignment.stateDirectory });
    return resultOf(assignment, 'warning', { argv: process.argv.slice(2), environment: Object.keys(process.env) });
  },
  obey: async (assignment, context) => {
    context.log.info('test.ready');
    await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
    return resultOf(assignment, 'cancelled', {});
  },
  refuse: async (_, context) => {
    context.log.info('test.ready');
    return forever();
  },
  hang: async (_, context) => {
    context.log.info('test.ready');
    await systemClock.sleep(50);
    for (;;);
  },
  throw: async () => {
    throw new Error('a bug with a stack');
  },
  exit: async () => {
    process.stderr.write('the last words\n');
    return process.exit(7);
  },
  'kill-self': async () => {
    process.kill(process.pid, 'SIGKILL');
    return forever();
  },
  heap: async () => {
    const hoard: unknown[] = [];
    for (;;) hoard.push(new Array(100_000).fill(hoard.length));
  },
  child: async (assignment, context) => {
    const helper = spawn('sleep', ['3600'], { stdio: 'ignore' });
    context.log.info('test.ready', { helper: helper.pid });
    return resultOf(assignment, 'done', {});
  },
};

const runner = {
  run: (assignment: TaskAssignment, context: TaskContext): Promise<TaskResult> => {
    // Backups of the tests of the daemon are named by what they do.
    const act = acts[assignment.kind === 'backup' ? assignment.backup.name : String(assignment.options['act'])];
    if (act === undefined) throw new TypeError('no such act');
    return act(assignment, context);
  },
};

const kinds = Object.fromEntries(taskKinds.map((kind) => [kind, runner])) as Record<
  TaskKind,
  typeof runner
> satisfies TaskKinds;

await runTaskProcess(kinds, hostLink(), systemClock, systemRandom);
process.exit(0);
