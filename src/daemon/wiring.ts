/**
 * # Daemon: the supervisor
 *
 * The one composition root. Start: log → state directory (locked) and database → interrupted tasks → results known from the
 * history → API → dispatcher → triggers (which catch up) → retention. Stop, in reverse: triggers → dispatcher (running tasks
 * finish or abandon the pack in flight) → readers → API → database → locks.
 *
 * Invariants: it never reads, chunks or decodes backup data; a crash, leak or hang of a task is that task's failure and nothing
 * more; a configuration with errors changes nothing; running tasks keep the configuration they started with.
 */
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { TaskId } from '../core/ids.ts';
import type { OsLocks } from '../core/os-lock.ts';
import type { Random } from '../core/random.ts';
import { toHex } from '../core/bytes.ts';
import { processEnvironment, type ProcessEntry } from '../tasks/process/child.ts';
import { ReaderHost } from '../tasks/process/reader-host.ts';
import { TaskHost } from '../tasks/process/task-host.ts';
import { Dispatcher } from '../tasks/queue/dispatcher.ts';
import { keepHistoryShort } from '../tasks/queue/retention.ts';
import { TaskQueue } from '../tasks/queue/task-queue.ts';
import type { TaskEvent, TaskProgress } from '../tasks/task.ts';
import { EventHub } from './api/event-hub.ts';
import type { Config } from './config/config.ts';
import { Configuration } from './configuration.ts';
import { openListeners, type Listeners } from './listeners.ts';
import type { DaemonLog } from './log/log.ts';
import type { Scrubber } from './log/scrubber.ts';
import { logTaskEvent } from './log/task-log.ts';
import { loadResults, type Results } from './results.ts';
import { DaemonService } from './service.ts';
import { openState, type StateDatabase } from './state/state.ts';
import { TaskLogs } from './task-logs.ts';
import { ProcessTaskRunner } from './task-runner.ts';
import { TriggerSet } from './trigger-set.ts';
import { taskView } from './views.ts';

export interface DaemonParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly locks: OsLocks;
  readonly log: DaemonLog;
  readonly scrubber: Scrubber;
  readonly environment: NodeJS.ProcessEnv;
  readonly version: string;
  /** Folder of the built web UI. */
  readonly uiFolder: string;
  /** What runs as the task process and as the reader process. */
  readonly entries: { readonly task: ProcessEntry; readonly reader: ProcessEntry };
}

export interface Daemon {
  readonly addresses: readonly string[];
  /** Rejects when the daemon cannot go on. */
  readonly lost: Promise<never>;
  /** @throws ConfigError when the file has errors; nothing changed then. */
  reload(): Promise<void>;
  /** Resolves within the grace time of tasks and a little. Idempotent. */
  stop(): Promise<void>;
}

const taskGraceMs = 12_000;
const taskSilenceMs = 60_000;
const readerIdleMs = 180_000;
const readerAnswerMs = 120_000;
const hubLimits = { replay: 2_000, behind: 2_000, clients: 100 };

/** @throws NesteggError `state.locked`, `state.corrupt`, … */
export async function startDaemon(config: Config, parts: DaemonParts): Promise<Daemon> {
  const state = await openState(config.daemon.state, parts.locks);
  try {
    return await Supervisor.start(config, parts, state);
  } catch (error) {
    await state.close();
    throw error;
  }
}

class Supervisor implements Daemon {
  readonly lost: Promise<never>;
  addresses: readonly string[] = [];
  readonly #parts: DaemonParts;
  readonly #state: StateDatabase;
  readonly #configuration: Configuration;
  readonly #startedMs: number;
  readonly #hub: EventHub;
  readonly #logs: TaskLogs;
  readonly #readers: ReaderHost;
  readonly #progress = new Map<TaskId, TaskProgress>();
  readonly #over = new AbortController();
  #close: () => Promise<void>;
  #stopping: Promise<void> | undefined;

  private constructor(config: Config, parts: DaemonParts, state: StateDatabase) {
    const { clock, log, environment, random, scrubber } = parts;
    this.#parts = parts;
    this.#state = state;
    this.lost = state.lost;
    this.#startedMs = clock.now();
    this.#configuration = new Configuration(config, { clock, log, scrubber, environment });
    this.#hub = new EventHub(toHex(random.bytes(4)), hubLimits);
    const directory = join(config.daemon.state, 'tasks');
    this.#logs = new TaskLogs({ directory, clock, log, scrub: (text) => scrubber.scrub(text) });
    const surroundings = { clock, environment: processEnvironment(environment) };
    this.#readers = new ReaderHost(
      {
        entry: parts.entries.reader,
        stateDirectory: config.daemon.state,
        idleMs: readerIdleMs,
        answerMs: readerAnswerMs,
      },
      surroundings,
      log,
    );
    this.#close = () => state.close();
  }

  static async start(config: Config, parts: DaemonParts, state: StateDatabase): Promise<Supervisor> {
    const supervisor = new Supervisor(config, parts, state);
    try {
      await supervisor.#start();
      return supervisor;
    } catch (error) {
      await supervisor.#close();
      throw error;
    }
  }

  async reload(): Promise<void> {
    await this.#configuration.reload();
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #start(): Promise<void> {
    const { clock, log, environment, entries } = this.#parts;
    const { config } = this.#configuration;
    await this.#logs.prepare();
    const results = await loadResults(this.#state.queue, config);
    const queue = await this.#openQueue(results);
    const host = new TaskHost(
      { entry: entries.task, graceMs: taskGraceMs, silenceMs: taskSilenceMs },
      { clock, environment: processEnvironment(environment) },
      log,
    );
    const runner = new ProcessTaskRunner({ host, logs: this.#logs, log, config: () => this.#configuration.config });
    const dispatcher = new Dispatcher(queue, runner, { clock, logger: log });
    const triggers = new TriggerSet({
      clock,
      logger: log,
      store: this.#state.triggers,
      enqueue: (request) => queue.enqueue(request),
    });
    const listeners = await this.#listen(this.#service(queue, results, triggers));
    this.#close = () => this.#shutDown({ triggers, dispatcher, listeners });
    this.addresses = listeners.addresses;
    this.#configuration.onChange(async (next, before) => {
      queue.setSlots(next.daemon.concurrency);
      for (const name of Object.keys(before.repositories)) this.#readers.forget(name);
      await triggers.apply(next);
      this.#hub.publish({ type: 'status' });
    });
    dispatcher.start();
    await triggers.apply(config);
    this.#keepShort();
    const { addresses, tokenFile } = listeners;
    const { driver: database, recovered } = this.#state;
    log.info('daemon.started', { version: this.#parts.version, addresses, tokenFile, database, recovered });
  }

  #openQueue(results: Results): Promise<TaskQueue> {
    const { clock, random, log } = this.#parts;
    return TaskQueue.open(
      {
        store: this.#state.queue,
        clock,
        random,
        logger: log,
        boot: toHex(random.bytes(8)),
        slots: this.#configuration.config.daemon.concurrency,
      },
      (event) => {
        if (event.type === 'task.ended') results.add(event.task);
        this.#tell(event);
      },
    );
  }

  #service(queue: TaskQueue, results: Results, triggers: TriggerSet): DaemonService {
    return new DaemonService({
      queue,
      readers: this.#readers,
      results,
      logs: this.#logs,
      progress: this.#progress,
      clock: this.#parts.clock,
      config: () => this.#configuration.config,
      daemon: () => this.#daemonView(),
      nextFireMs: (backup) => triggers.nextFireMs(backup),
      reload: async () => {
        await this.reload();
        return this.#configuration.view();
      },
    });
  }

  #listen(service: DaemonService): Promise<Listeners> {
    const { clock, log, scrubber, version, uiFolder, random } = this.#parts;
    const scrub = (text: string): string => scrubber.scrub(text);
    const settings = { service, hub: this.#hub, log, clock, version, uiFolder, scrub };
    return openListeners(this.#configuration.config.daemon, settings, random);
  }

  #daemonView() {
    const { config } = this.#configuration;
    return {
      version: this.#parts.version,
      device: config.device,
      timeZone: config.timezone,
      startedMs: this.#startedMs,
      nowMs: this.#parts.clock.now(),
      stopping: this.#over.signal.aborted,
      concurrency: config.daemon.concurrency,
      configuration: this.#configuration.view(),
    };
  }

  /** Log and live clients derive from the same event. */
  #tell(event: TaskEvent): void {
    logTaskEvent(this.#parts.log, event);
    switch (event.type) {
      case 'task.progress':
        this.#progress.set(event.id, event.progress);
        this.#hub.publish({ type: 'progress', id: event.id, progress: event.progress });
        return;
      case 'task.warning':
        this.#hub.publish({ type: 'warning', id: event.id, problem: event.problem });
        return;
      default:
        if (event.type === 'task.ended') this.#progress.delete(event.task.id);
        this.#hub.publish({
          type: 'task',
          task: taskView(event.task, { progress: this.#progress.get(event.task.id) }),
        });
    }
  }

  #keepShort(): void {
    const { clock, log } = this.#parts;
    const history = {
      store: this.#state.queue,
      logs: this.#logs,
      keepMs: () => this.#configuration.config.daemon.historyMs,
    };
    void keepHistoryShort(history, { clock, logger: log, signal: this.#over.signal });
  }

  async #stop(): Promise<void> {
    this.#parts.log.info('daemon.stopping');
    this.#over.abort();
    this.#hub.publish({ type: 'status' });
    await this.#close();
    this.#parts.log.info('daemon.stopped');
  }

  async #shutDown(running: {
    readonly triggers: TriggerSet;
    readonly dispatcher: Dispatcher;
    readonly listeners: Listeners;
  }): Promise<void> {
    await running.triggers.close();
    await running.dispatcher.stop();
    this.#readers.close();
    await running.listeners.close();
    await this.#logs.settled();
    await this.#state.close();
  }
}
