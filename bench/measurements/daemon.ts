/** The daemon while a backup into two repositories takes both processors and the disk that its state lies on. */
import type { Figure, Measurement, World } from '../bench.ts';
import { settleDisk } from '../datastores.ts';
import { atMost, mebibytes, milliseconds, quantile, seconds } from '../figures.ts';
import { Watched } from '../measured-process.ts';
import { backupName, Nestegg } from '../nestegg.ts';
import { RunningDaemon } from '../running-daemon.ts';

const betweenRequestsMs = 20;
const taskLimit = 512 * 2 ** 20;
const daemonLimit = 150 * 2 ** 20;
const answerLimitMs = 20;

export const daemonMeasurement: Measurement = {
  name: 'daemon',
  title: 'The daemon under load',
  run,
};

const asked = ['/status', '/queue', '/tasks'] as const;

async function run(world: World): Promise<readonly Figure[]> {
  const { say, large, clock } = world;
  say('writing the datastore, if it is not there yet');
  const options = { datastore: await large.path(), verify: 'digest', repositories: ['disk', 'other'] } as const;
  const nestegg = await Nestegg.install(world, 'daemon', options);
  settleDisk(world.cold);
  const daemon = await RunningDaemon.start(nestegg);
  try {
    const watched = new Watched(daemon.pid, clock);
    say('a first backup into two repositories through the daemon, while the API is asked 50 times a second');
    const load = await askDuringBackup(world, daemon);
    const { peakBytes } = await watched.stop();
    return figures(load, peakBytes);
  } finally {
    await daemon.stop();
    nestegg.remove();
  }
}

interface Load {
  readonly answersMs: readonly number[];
  readonly tookMs: number;
  /** Processor time of the task. */
  readonly processorMs: number;
  readonly taskBytes: number;
}

interface TaskAnswer {
  readonly id: string;
  readonly state: string;
}

async function askDuringBackup(world: World, daemon: RunningDaemon): Promise<Load> {
  const { clock, signal } = world;
  const started = clock.monotonic();
  const { task } = (await daemon.ask('POST', '/tasks', { kind: 'backup', backup: backupName })) as {
    readonly task: TaskAnswer;
  };
  const answersMs: number[] = [];
  let watched: Watched | undefined;
  let state = task.state;
  for (let number = 0; ['queued', 'running'].includes(state); number += 1) {
    await clock.sleep(betweenRequestsMs, { signal });
    const before = clock.monotonic();
    await daemon.ask('GET', asked[number % asked.length] ?? '/status');
    answersMs.push(clock.monotonic() - before);
    if (watched === undefined && daemon.taskPid !== undefined) watched = new Watched(daemon.taskPid, clock);
    if (number % 25 === 0) ({ state } = (await daemon.ask('GET', `/tasks/${task.id}`)) as TaskAnswer);
  }
  const usage = await watched?.stop();
  if (state !== 'done') throw new Error(`the task of the daemon ended as ${state}`);
  const tookMs = clock.monotonic() - started;
  return { answersMs, tookMs, processorMs: usage?.processorMs ?? 0, taskBytes: usage?.peakBytes ?? 0 };
}

function figures(load: Load, daemonBytes: number): readonly Figure[] {
  const { answersMs, tookMs, processorMs, taskBytes } = load;
  const p99 = quantile(answersMs, 0.99);
  const busy = `${seconds(processorMs)} processor in ${seconds(tookMs)}`;
  return [
    {
      what: 'memory of the daemon (RssAnon)',
      ours: mebibytes(daemonBytes),
      goal: atMost(daemonLimit, daemonBytes, mebibytes),
    },
    {
      what: `API answers (p99 of ${answersMs.length.toLocaleString('en')}), the backup taking ${busy}`,
      ours: `${milliseconds(p99)} (p50 ${milliseconds(quantile(answersMs, 0.5))}, longest ${milliseconds(quantile(answersMs, 1))})`,
      goal: atMost(answerLimitMs, p99, milliseconds),
    },
    {
      what: 'memory of its task, two repositories (RssAnon)',
      ours: mebibytes(taskBytes),
      goal: atMost(taskLimit, taskBytes, mebibytes),
    },
  ];
}
