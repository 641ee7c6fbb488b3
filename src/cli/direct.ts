/** Runs one task in this process, without a daemon. */
import { hostname } from 'node:os';
import { toHex } from '../core/bytes.ts';
import type { TaskResult } from '../daemon/api/contract.ts';
import type { EngineAround } from '../tasks/kinds/open.ts';
import { runTask, type TaskAssignment, type TaskContext } from '../tasks/kinds/task-kind.ts';
import { exitCodeOfResult } from './exit-code.ts';
import { cliLogger } from './log.ts';
import { ProgressLine } from './progress-line.ts';
import type { Session } from './session.ts';
import { problemLines, resultLines } from './words.ts';

export type AssignmentBase = Pick<TaskAssignment, 'task' | 'attempt' | 'stateDirectory' | 'device'>;

/** What every assignment of this run has in common. Without a configuration nothing is kept on this machine. */
export async function assignmentBase(session: Session): Promise<AssignmentBase> {
  const base = recoveryBase(session);
  const config = await session.configIfAny();
  if (config === undefined) return base;
  return { ...base, device: config.device, stateDirectory: config.daemon.state };
}

/** On a machine that knows nothing. */
export function recoveryBase(session: Session): AssignmentBase {
  return { task: toHex(session.world.random.bytes(16)), attempt: 1, device: hostname() };
}

/** What the engine needs of this process. */
export async function engineAround(session: Session): Promise<EngineAround> {
  const { clock, random, signal } = session.world;
  const { stateDirectory } = await assignmentBase(session);
  const log = cliLogger(session.world, session.options);
  return { clock, random, signal, log, ...(stateDirectory === undefined ? {} : { stateDirectory }) };
}

export async function runDirect(session: Session, assignment: TaskAssignment): Promise<TaskResult> {
  const { world, output } = session;
  const { taskKindRunners } = await import('../tasks/kinds/registry.ts');
  const line = new ProgressLine(world.stderr, world.clock);
  const context: TaskContext = {
    signal: world.signal,
    clock: world.clock,
    random: world.random,
    log: cliLogger(world, session.options),
    progress: (progress) => {
      output.object({ type: 'progress', progress });
      if (!output.json) line.update(progress);
    },
    warning: (problem) => {
      line.clear();
      output.object({ type: 'warning', problem });
      output.note(`warning: ${problemLines(problem).join('\n')}`);
    },
  };
  try {
    return await runTask(taskKindRunners, assignment, context);
  } finally {
    line.clear();
  }
}

/** Prints how a task ended and answers the exit code. */
export function printResult(session: Session, result: TaskResult): number {
  session.output.object({ type: 'result', result });
  for (const line of resultLines(result)) session.output.line(line);
  return exitCodeOfResult(result);
}
