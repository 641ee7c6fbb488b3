import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { emptyResult } from '../../../src/tasks/empty-result.ts';
import { Dispatcher, type TaskRunner, type TaskWork } from '../../../src/tasks/queue/dispatcher.ts';
import { MemoryQueueStore } from '../../../src/tasks/queue/memory-store.ts';
import { keepHistoryShort } from '../../../src/tasks/queue/retention.ts';
import type { QueueStore } from '../../../src/tasks/queue/store.ts';
import { TaskQueue } from '../../../src/tasks/queue/task-queue.ts';
import type { EndState, RunningTask, TaskEvent, TaskResult } from '../../../src/tasks/task.ts';
import { request } from '../../contracts/queue-store-contract.ts';
import { asPromises } from '../../support/as-promises.ts';
import { FakeClock } from '../../support/fake-clock.ts';

let seed = 0;
const random = { bytes: (length: number) => new Uint8Array(length).fill(seed++), below: () => 0 };

/** Work that ends when the test says so, or when it is stopped. */
class ManualRunner implements TaskRunner {
  readonly running = new Map<string, (result: TaskResult) => void>();
  readonly stopped: string[] = [];

  run(task: RunningTask): TaskWork {
    const name = task.request.subject.type === 'backup' ? task.request.subject.backup : '';
    if (name === 'broken') throw new Error('no such part');
    let stop: TaskWork['stop'] = () => undefined;
    const ended = new Promise<TaskResult>((resolve) => {
      const end = (result: TaskResult): void => {
        this.running.delete(name);
        resolve(result);
      };
      this.running.set(name, end);
      stop = (reason) => {
        this.stopped.push(`${name} ${reason}`);
        end(emptyResult(reason === 'cancel' ? 'cancelled' : 'interrupted', task.request.repositories));
      };
    });
    return { ended, stop };
  }

  end(name: string, state: EndState, retry = false): void {
    const problem =
      state === 'failed'
        ? { code: 'storage.timeout', message: 'slow', ...(retry ? { retry: 'later' as const } : {}) }
        : undefined;
    this.running.get(name)?.(emptyResult(state, ['nas'], problem));
  }
}

class Bench {
  readonly clock = new FakeClock();
  readonly runner = new ManualRunner();
  readonly events: string[] = [];
  readonly memory = new MemoryQueueStore();
  store: QueueStore = asPromises<QueueStore>(this.memory);

  async boot(boot = 'boot', slots = 2): Promise<{ queue: TaskQueue; dispatcher: Dispatcher }> {
    const around = { store: this.store, clock: this.clock, random, logger: silentLogger, boot, slots };
    const queue = await TaskQueue.open(around, (event) => {
      this.events.push(describeEvent(event));
    });
    const dispatcher = new Dispatcher(queue, this.runner, { clock: this.clock, logger: silentLogger });
    return { queue, dispatcher };
  }

  /** Lets everything happen that needs no time to pass. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) await this.clock.advance(0);
  }

  get names(): string[] {
    return [...this.runner.running.keys()];
  }
}

function describeEvent(event: TaskEvent): string {
  if (!('task' in event)) return event.type;
  const { subject } = event.task.request;
  const name = subject.type === 'backup' ? subject.backup : '';
  return `${event.type} ${name}${event.type === 'task.ended' ? ` ${event.task.state}` : ''}`;
}

const own = (name: string) => request(name, { repositories: [name] });

describe('the dispatcher', () => {
  it('runs as many as there are slots, best first, and goes on when one ends', async () => {
    const bench = new Bench();
    const { queue, dispatcher } = await bench.boot();
    for (const [name, priority] of [
      ['a', 'on-idle'],
      ['b', 0],
      ['c', 'superior'],
      ['d', 1],
    ] as const) {
      await queue.enqueue({ ...own(name), priority });
    }
    dispatcher.start();
    await bench.settle();
    expect(bench.names).toEqual(['c', 'd']);
    expect([...queue.whyAll().values()]).toEqual([
      { reason: 'slots', used: 2, slots: 2 },
      { reason: 'behind', tasksAhead: 1 },
    ]);
    bench.runner.end('c', 'done');
    await bench.settle();
    expect(bench.names).toEqual(['d', 'b']);
    await queue.enqueue({ ...own('e'), priority: 'immediate' });
    await bench.settle();
    expect(bench.names).toEqual(['d', 'b', 'e']);
    queue.setSlots(4);
    await bench.settle();
    expect(bench.names).toEqual(['d', 'b', 'e', 'a']);
    await dispatcher.stop();
    expect(bench.clock.sleeping).toBe(0);
  });

  it('repeats a failure worth it, with growing delays, and gives up at last', async () => {
    const bench = new Bench();
    const { queue, dispatcher } = await bench.boot();
    dispatcher.start();
    await queue.enqueue({ ...request('a'), retries: 2 });
    for (const [attempt, delayMs] of [
      [1, 60_000],
      [2, 240_000],
    ] as const) {
      await bench.settle();
      bench.runner.end('a', 'failed', true);
      await bench.clock.advance(delayMs - 1_000);
      expect(bench.names).toEqual([]);
      expect(queue.state().waiting[0]).toMatchObject({ attempt: attempt + 1, request: { trigger: { kind: 'retry' } } });
      await bench.clock.advance(2_000);
      await bench.settle();
      expect(bench.names).toEqual(['a']);
    }
    bench.runner.end('a', 'failed', true);
    await bench.clock.advance(7_200_000);
    expect([bench.names, queue.state().waiting]).toEqual([[], []]);
    expect((await queue.history({ limit: 9 })).map(({ attempt, state }) => `${attempt} ${state}`)).toEqual([
      '3 failed',
      '2 failed',
      '1 failed',
    ]);
    await queue.enqueue({ ...request('b'), retries: 2 });
    await bench.settle();
    bench.runner.end('b', 'failed', false);
    await bench.settle();
    expect(queue.state().waiting).toEqual([]);
    await dispatcher.stop();
  });

  it('repeats only the repositories that failed', async () => {
    const bench = new Bench();
    const { queue, dispatcher } = await bench.boot();
    dispatcher.start();
    await queue.enqueue({ ...request('a'), repositories: ['good', 'bad', 'worse'], retries: 1 });
    await bench.settle();
    const result = emptyResult('failed', ['good', 'bad', 'worse']);
    const [good, bad, worse] = result.repositories;
    const problem = { code: 'storage.timeout', message: 'slow' };
    bench.runner.running.get('a')?.({
      ...result,
      repositories: [
        { ...good, state: 'done' },
        { ...bad, problem: { ...problem, retry: 'later' } },
        { ...worse, problem },
      ] as TaskResult['repositories'],
    });
    await bench.settle();
    expect(queue.state().waiting[0]?.request.repositories).toEqual(['bad']);
    await dispatcher.stop();
  });

  it('cancels what waits and what runs', async () => {
    const bench = new Bench();
    const { queue, dispatcher } = await bench.boot('boot', 1);
    const first = await queue.enqueue(own('a'));
    const second = await queue.enqueue(own('b'));
    dispatcher.start();
    await bench.settle();
    expect((await queue.cancel(second.task.id, 'anna')).state).toBe('cancelled');
    expect((await queue.cancel(first.task.id, 'anna')).state).toBe('aborting');
    await bench.settle();
    expect(bench.runner.stopped).toEqual(['a cancel']);
    expect(bench.events.slice(-3)).toEqual(['task.ended b cancelled', 'task.aborting a', 'task.ended a cancelled']);
    await expect(queue.cancel(first.task.id, 'anna')).rejects.toMatchObject({ code: 'not-found' });
    const again = await queue.repeat(first.task.id, { kind: 'ui', detail: 'anna' });
    expect(again.task.request).toMatchObject({ repositories: ['a'], trigger: { kind: 'ui' } });
    await dispatcher.stop();
  });

  it('stops what is cancelled in the very moment it starts', async () => {
    const bench = new Bench();
    const { queue, dispatcher } = await bench.boot();
    const { task } = await queue.enqueue(own('a'));
    dispatcher.start();
    await queue.cancel(task.id, 'anna');
    await bench.settle();
    expect((await queue.get(task.id)).state).toBe('cancelled');
    expect(bench.names).toEqual([]);
    await dispatcher.stop();
  });

  it('fails a task whose work cannot be started, and goes on', async () => {
    const bench = new Bench();
    const { queue, dispatcher } = await bench.boot();
    dispatcher.start();
    const { task } = await queue.enqueue(own('broken'));
    await bench.settle();
    expect(await queue.get(task.id)).toMatchObject({ state: 'failed', result: { problem: { code: 'internal' } } });
    await dispatcher.stop();
  });

  it('interrupts what runs when the daemon stops, and goes on with it at the next start', async () => {
    const bench = new Bench();
    const first = await bench.boot('one');
    await first.queue.enqueue(request('a'));
    await first.queue.enqueue({ ...request('b'), kind: 'restore', repositories: ['other'] });
    first.dispatcher.start();
    await bench.settle();
    await first.dispatcher.stop();
    expect(bench.runner.stopped).toEqual(['a shutdown', 'b shutdown']);
    expect(bench.names).toEqual([]);
    const second = await bench.boot('two');
    expect(second.queue.state().waiting.map((task) => task.request.trigger.kind)).toEqual(['retry']);
    second.dispatcher.start();
    await bench.settle();
    expect(bench.names).toEqual(['a']);
    await second.dispatcher.stop();
  });

  it('marks what a crash cut off as interrupted, and repeats it once', async () => {
    const bench = new Bench();
    for (const boot of ['one', 'two', 'three']) {
      const { queue, dispatcher } = await bench.boot(boot);
      if (boot === 'one') await queue.enqueue(request('a'));
      dispatcher.start();
      await bench.settle();
      expect(bench.names).toEqual(boot === 'three' ? [] : ['a']);
      if (boot === 'three') {
        expect((await queue.history({ limit: 9 })).map(({ state }) => state)).toEqual(['interrupted', 'interrupted']);
        await dispatcher.stop();
      } else {
        // The process dies: nothing of it goes on, the store keeps what it has.
        const kept = bench.memory.live();
        expect(kept.running).toHaveLength(1);
        bench.runner.running.clear();
      }
    }
  });

  it('keeps a result until the store takes it, and the resources of its task too', async () => {
    const bench = new Bench();
    let full = 0;
    const inner = bench.store;
    bench.store = new Proxy(inner, {
      get: (target, method) =>
        method === 'end' && full-- > 0
          ? () => Promise.reject(new Error('the disk is full'))
          : (Reflect.get(target, method) as unknown),
    });
    const { queue, dispatcher } = await bench.boot();
    dispatcher.start();
    await queue.enqueue(request('a'));
    await queue.enqueue(request('b'));
    await bench.settle();
    full = 3;
    bench.runner.end('a', 'done');
    await bench.clock.advance(14_000);
    expect([...queue.whyAll().values()]).toMatchObject([{ reason: 'collision' }]);
    await bench.clock.advance(2_000);
    await bench.settle();
    expect(bench.names).toEqual(['b']);
    expect((await queue.history({ limit: 1 }))[0]?.state).toBe('done');
    await dispatcher.stop();
  });

  it('holds what is paused', async () => {
    const bench = new Bench();
    const { queue, dispatcher } = await bench.boot();
    dispatcher.start();
    await queue.pause('repository nas', 'anna');
    const { task } = await queue.enqueue({ ...request('a'), priority: 'immediate' });
    await bench.settle();
    expect(queue.why(task.id)).toMatchObject({ reason: 'paused', by: 'anna' });
    await queue.resume('repository nas');
    await bench.settle();
    expect(bench.names).toEqual(['a']);
    await expect(queue.resume('queue')).rejects.toMatchObject({ code: 'not-found' });
    await dispatcher.stop();
  });

  it('takes ten thousand requests, and one due time once', async () => {
    const bench = new Bench();
    const { queue, dispatcher } = await bench.boot();
    dispatcher.start();
    const due = { kind: 'cron', detail: '0 3 * * *', dueMs: 5 } as const;
    const requests = Array.from({ length: 10_000 }, (_, n) => ({ ...own(`b${n}`), priority: n % 9, trigger: due }));
    const first = await Promise.all(requests.map((one) => queue.enqueue(one)));
    expect(new Set(first.map(({ outcome }) => outcome))).toEqual(new Set(['queued']));
    await bench.settle();
    expect(queue.state().running.map((task) => task.request.priority)).toEqual([8, 8]);
    const second = await Promise.all(requests.map((one) => queue.enqueue(one)));
    expect(new Set(second.map(({ outcome }) => outcome))).toEqual(new Set(['duplicate']));
    expect(queue.whyAll().size).toBe(9_998);
    await dispatcher.stop();
  });
});

describe('the history', () => {
  it('is kept short', async () => {
    const clock = new FakeClock();
    const asked: unknown[] = [];
    const stop = new AbortController();
    const store = { forget: async (age: unknown) => (asked.push(age) === 1 ? 500 : 3) };
    const logsBefore: number[] = [];
    const logs = { forget: async (beforeMs: number) => void logsBefore.push(beforeMs) };
    let keepMs = 86_400_000;
    const history = { store, logs, keepMs: () => keepMs };
    const work = keepHistoryShort(history, { clock, logger: silentLogger, signal: stop.signal });
    await clock.advance(6 * 3_600_000 - 1);
    expect(asked).toHaveLength(2);
    keepMs = 2 * 86_400_000;
    await clock.advance(1);
    expect(asked).toHaveLength(3);
    const startedMs = Date.UTC(2026, 0, 1);
    expect(logsBefore).toEqual([startedMs - 86_400_000, startedMs + 6 * 3_600_000 - 2 * 86_400_000]);
    expect(asked[0]).toEqual({
      endedBeforeMs: Date.UTC(2025, 11, 31),
      firedBeforeMs: Date.UTC(2026, 0, 1) - 60 * 86_400_000,
      limit: 500,
    });
    stop.abort();
    await work;
    expect(clock.sleeping).toBe(0);
  });
});
