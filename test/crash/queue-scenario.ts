/** The queue in its database: what was answered is there, once and in order; what ran is interrupted and queued again once. */
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import { NesteggError } from '../../src/core/errors.ts';
import type { OsLocks } from '../../src/core/os-lock.ts';
import { openState, type StateDatabase } from '../../src/daemon/state/state.ts';
import { mergeKey } from '../../src/tasks/queue/merge.ts';
import type { QueueStore } from '../../src/tasks/queue/store.ts';
import { Findings, type Attempt, type Lab, type Scenario } from './lab.ts';
import type { CallCount, Counts, Moment, TraceOrder } from './moments.ts';
import { openQueue } from './queue.ts';
import type { QueueOrder } from './queue-child.fixture.ts';
import { apply, shownByStored, makeScript, stepsSeen, type Step } from './queue-script.ts';

const scriptLength = 60;
const lockPatienceMs = 10_000;
const traced: TraceOrder = { rules: [{ phase: 'queue commit', path: 'state\\.db' }] };

/** Two kinds of work in one phase: the first calls are those of the script, the further ones those of a daemon's start. */
export class QueueScenario implements Scenario {
  readonly name = 'queue';
  readonly parallel = 2;
  readonly #lab: Lab;
  readonly #script: readonly (readonly Step[])[];
  readonly #steps: readonly Step[];
  #scripted: CallCount = { calls: 0, writes: 0 };

  constructor(lab: Lab) {
    this.#lab = lab;
    this.#script = makeScript(lab.seed, scriptLength);
    this.#steps = this.#script.flat();
  }

  async prepare(): Promise<Counts> {
    await mkdir(this.#left);
    await this.#inState(this.#left, async ({ queue }) => {
      for (const step of this.#steps) await apply(queue, step);
    });
    const count = (script: QueueOrder['script']): Promise<CallCount> =>
      this.#lab.inFolder(async (folder) => {
        const counts = join(folder, 'counts.json');
        await this.#run(folder, script, { ...traced, counts });
        return (await this.#lab.readCounts(counts))['queue commit'] ?? { calls: 0, writes: 0 };
      });
    const scripted = (this.#scripted = await count(this.#script));
    const start = await count(undefined);
    return {
      'queue commit': { calls: scripted.calls + start.calls, writes: scripted.writes + start.writes },
    };
  }

  async attempt(moment: Moment): Promise<Attempt> {
    const scripted = moment.place === 'torn' ? this.#scripted.writes : this.#scripted.calls;
    const inStart = moment.call > scripted;
    const kill = { ...moment, call: inStart ? moment.call - scripted : moment.call };
    return this.#lab.inFolder(async (folder) => {
      const { state, killed, told } = await this.#run(folder, inStart ? undefined : this.#script, { ...traced, kill });
      const findings = new Findings();
      if (!killed) return { killed, findings, restored: false };
      await this.#inState(state, async ({ queue }) => {
        if (!inStart) await this.#findSteps(queue, told.length, findings);
        await findInterrupted(queue, findings);
      });
      if (inStart) await this.#compareWithUndisturbed(state, findings);
      return { killed, findings, restored: false };
    });
  }

  /** Neither less than was answered nor more than was asked for, and nothing by halves. */
  async #findSteps(queue: QueueStore, answered: number, findings: Findings): Promise<void> {
    const asked = this.#askedWhen(answered);
    const seen = stepsSeen(await shownByStored(queue), this.#steps, answered, asked);
    findings.expect(seen !== undefined, `the queue is not what ${answered} to ${asked} of the calls make of it`);
  }

  /** Whoever waits for one answer of a group has asked for all of it. */
  #askedWhen(answered: number): number {
    let asked = 0;
    for (const group of this.#script) if (asked <= answered) asked += group.length;
    return asked;
  }

  async #compareWithUndisturbed(state: string, findings: Findings): Promise<void> {
    await this.#lab.inFolder(async (folder) => {
      const undisturbed = join(folder, 'state');
      await cp(this.#left, undisturbed, { recursive: true });
      await this.#inState(undisturbed, ({ queue }) => openQueue(queue, 'undisturbed'));
      findings.expectSame('the queue after two starts', await this.#shown(state), await this.#shown(undisturbed));
    });
  }

  /** Without what differs by chance: ids of new tasks and times. */
  async #shown(state: string): Promise<unknown> {
    return this.#inState(state, async ({ queue }) => {
      const { waiting, running, pauses } = await queue.live();
      const history = await queue.history({ limit: 10_000 });
      const ended = history.map((task) => [task.id, task.state, task.request]);
      return [waiting.map(({ task }) => [task.request, task.attempt, task.merged]), running, pauses, ended.sort()];
    });
  }

  async #run(folder: string, script: QueueOrder['script'], trace: TraceOrder) {
    const state = join(folder, 'state');
    if (script) await mkdir(state);
    else await cp(this.#left, state, { recursive: true });
    const order: QueueOrder = { state, script };
    return { state, ...(await this.#lab.runChild('queue-child.fixture', folder, order, trace)) };
  }

  async #inState<T>(directory: string, use: (state: StateDatabase) => Promise<T>): Promise<T> {
    const state = await openWhenFree(directory, this.#lab.locks);
    try {
      return await use(state);
    } finally {
      await state.close();
    }
  }

  /** A state directory with tasks that wait, run and ended. */
  get #left(): string {
    return join(this.#lab.folder, 'queue');
  }
}

/** The helper that holds the locks of a killed process ends when it sees its pipe closed: a moment after the process. */
async function openWhenFree(directory: string, locks: OsLocks): Promise<StateDatabase> {
  const untilMs = systemClock.monotonic() + lockPatienceMs;
  for (;;) {
    try {
      return await openState(directory, locks);
    } catch (error) {
      const locked = error instanceof NesteggError && error.code === 'state.locked';
      if (!locked || systemClock.monotonic() > untilMs) throw error;
      await systemClock.sleep(20);
    }
  }
}

/** Opens the queue as the next two daemons would: the first one repeats what ran, the second one has nothing to do. */
async function findInterrupted(store: QueueStore, findings: Findings): Promise<void> {
  const { running, waiting: before } = await store.live();
  await openQueue(store, 'the next boot');
  const after = await store.live();
  findings.expectSame('tasks that still run', after.running, []);
  for (const task of running) {
    findings.expectSame(`the end of ${task.id}`, (await store.get(task.id))?.state, 'interrupted');
    const key = mergeKey(task.request);
    const equal = after.waiting.filter((entry) => mergeKey(entry.task.request) === key);
    findings.expectSame(`how often ${task.id} waits again`, equal.length, 1);
  }
  const kept = after.waiting.filter(({ task }) => before.some((entry) => entry.task.id === task.id));
  findings.expectSame(
    'the order of what waited',
    kept.map(({ task }) => task.id),
    before.map(({ task }) => task.id),
  );
  await openQueue(store, 'the boot after that');
  findings.expectSame('what a further start changes', await store.live(), after);
}
