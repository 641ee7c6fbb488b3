import { readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import type { LogFields } from '../../../src/core/logger.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { TaskAssignment } from '../../../src/tasks/kinds/task-kind.ts';
import { processEnvironment } from '../../../src/tasks/process/child.ts';
import {
  TaskHost,
  type HostSettings,
  type RunningTask,
  type TaskLimits,
} from '../../../src/tasks/process/task-host.ts';
import type { TaskProblem, TaskProgress } from '../../../src/tasks/task.ts';

const canary = 'canary-of-a-password-4711';
const running: RunningTask[] = [];

interface Seen {
  readonly task: RunningTask;
  readonly progress: TaskProgress[];
  readonly warnings: TaskProblem[];
  readonly lines: { readonly event: string; readonly fields: LogFields }[];
  /** Resolves with the fields of the first line of that name. */
  line(event: string): Promise<LogFields>;
}

function start(act: string, limits: TaskLimits = {}, settings: Partial<HostSettings> = {}): Seen {
  const assignment: TaskAssignment = {
    task: '01task000000000000',
    kind: 'check',
    attempt: 1,
    repository: {
      name: 'nas',
      location: { type: 'filesystem', path: '/nas' },
      secrets: { password: canary },
      readOnly: false,
    },
    device: 'test',
    stateDirectory: '/nowhere',
    options: { act },
  };
  const entry = { caller: import.meta.url, module: './kinds.fixture' };
  const host = new TaskHost(
    { entry, graceMs: 300, silenceMs: 60_000, ...settings },
    { clock: systemClock, environment: processEnvironment(process.env) },
    silentLogger,
  );
  const progress: TaskProgress[] = [];
  const warnings: TaskProblem[] = [];
  const lines: Seen['lines'] = [];
  const waiting: { event: string; resolve: (fields: LogFields) => void }[] = [];
  const task = host.start(assignment, limits, {
    progress: (one) => progress.push(one),
    warning: (problem) => warnings.push(problem),
    log: (_level, event, fields) => {
      lines.push({ event, fields });
      for (const one of waiting) if (one.event === event) one.resolve(fields);
    },
  });
  running.push(task);
  const line = (event: string): Promise<LogFields> =>
    new Promise((resolve) => {
      const seen = lines.find((one) => one.event === event);
      if (seen) resolve(seen.fields);
      else waiting.push({ event, resolve });
    });
  return { task, progress, warnings, lines, line };
}

/** A dead process that nobody has reaped yet (a container without an init) counts as dead. */
function alive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

afterEach(async () => {
  for (const task of running.splice(0)) {
    task.kill('cancel');
    await task.ended;
    expect(alive(Number(task.pid))).toBe(false);
  }
});

describe('a task in its process', () => {
  it('answers with its result, its latest progress, its warnings and its log', async () => {
    const seen = start('work');
    const result = await seen.task.ended;
    expect(result.state).toBe('warning');
    expect(seen.progress.at(-1)?.doneItems).toBe(100);
    expect(seen.progress.length).toBeLessThan(10);
    expect(seen.warnings).toEqual([{ code: 'source.corrupt', message: 'a bad chunk' }]);
    expect(seen.lines).toContainEqual({ event: 'test.line', fields: { answer: 42 } });
  });

  it('gets nothing by argv, and an environment that was chosen', async () => {
    process.env['NESTEGG_TEST_SECRET'] = canary;
    const { details } = await start('work').task.ended;
    delete process.env['NESTEGG_TEST_SECRET'];
    expect(details?.['argv']).toEqual([]);
    expect(details?.['environment']).toContain('PATH');
    expect(details?.['environment']).not.toContain('NESTEGG_TEST_SECRET');
    expect(details?.['environment']).not.toContain('NODE_OPTIONS');
  });

  it('leads a process group that ends with it', async () => {
    const seen = start('child');
    const { helper } = await seen.line('test.ready');
    await seen.task.ended;
    await expect.poll(() => alive(Number(helper)), { timeout: 20_000 }).toBe(false);
  });

  it('runs with the niceness asked for', async () => {
    const seen = start('refuse', { nice: 7, io: 'idle' });
    await seen.line('test.ready');
    expect(getPriority(Number(seen.task.pid))).toBe(getPriority() + 7);
  });
});

describe('a task that is stopped', () => {
  it.each([
    ['cancel', 'cancelled', 'cancelled'],
    ['shutdown', 'interrupted', 'cancelled'],
    ['time-limit', 'failed', 'task.time-limit'],
  ] as const)('by %s ends as %s when it obeys', async (reason, state, code) => {
    const seen = start('obey');
    await seen.line('test.ready');
    seen.task.stop(reason);
    const result = await seen.task.ended;
    expect(result).toMatchObject({ state, problem: { code }, repositories: [{ repository: 'nas', state }] });
  });

  it('is killed after the grace time when it does not obey', async () => {
    const seen = start('refuse');
    await seen.line('test.ready');
    seen.task.stop('cancel');
    expect(await seen.task.ended).toMatchObject({ state: 'cancelled', repositories: [{ state: 'cancelled' }] });
  });

  it('by its time limit fails', async () => {
    const seen = start('obey', { timeMs: 200 });
    expect(await seen.task.ended).toMatchObject({ state: 'failed', problem: { code: 'task.time-limit' } });
  });

  it('because it hangs fails, also when its main loop is busy for ever', async () => {
    const seen = start('hang', {}, { silenceMs: 2_500 });
    expect(await seen.task.ended).toMatchObject({ state: 'failed', problem: { code: 'task.crashed' } });
  });
});

describe('a process that dies', () => {
  it('with an exit code fails its task with its last words', async () => {
    const result = await start('exit').task.ended;
    expect(result).toMatchObject({ state: 'failed', repositories: [{ repository: 'nas', state: 'failed' }] });
    expect(result.problem).toMatchObject({
      code: 'task.crashed',
      message: 'the process of the task ended without a result: exit code 7',
      context: { exitCode: 7, signal: null, lastWords: 'the last words' },
    });
  });

  it('with an exception fails its task with the stack', async () => {
    const { problem } = await start('throw').task.ended;
    expect(problem?.context?.['lastWords']).toContain('a bug with a stack');
  });

  it('by a signal fails its task with a hint', async () => {
    const { problem } = await start('kill-self').task.ended;
    expect(problem).toMatchObject({ code: 'task.crashed', context: { signal: 'SIGKILL' } });
    expect(problem?.hint).toContain('out of memory');
  });

  it('for want of heap fails its task and says so', async () => {
    const { problem } = await start('heap', { heapMiB: 64 }).task.ended;
    expect(problem).toMatchObject({ code: 'task.crashed' });
    expect(problem?.hint).toContain('heap');
  });

  it('because it cannot be started fails its task', async () => {
    const entry = { caller: import.meta.url, module: './no-such.fixture' };
    const { problem } = await start('work', {}, { entry }).task.ended;
    expect(problem?.code).toBe('task.crashed');
  });
});
