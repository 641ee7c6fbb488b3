/**
 * A backup under a real daemon, where either the daemon or its task process is killed. The daemon that comes next ends the
 * task as interrupted and repeats it once; a daemon that survives ends it as failed, and the next run goes on.
 */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EndedTaskView } from '../../src/daemon/api/contract.ts';
import { DaemonProcess, processesOf, until } from './daemon-process.ts';
import { Findings, type Attempt, type Depth, type Lab, type Scenario } from './lab.ts';
import type { Counts, Moment, TraceOrder } from './moments.ts';
import { findComplete } from './repository-findings.ts';
import { makeTemplate, password, type Template } from './template.ts';

const daemonTrace: TraceOrder = { rules: [{ phase: 'daemon', path: '/state/(?!repositories/|cache/)' }] };
const taskTrace: TraceOrder = {
  rules: [{ phase: 'task process', path: '/repository/|/state/repositories/' }],
  told: {},
  once: true,
};

interface World {
  readonly folder: string;
  readonly traceFile: string;
  readonly taskTraceFile: string;
}

export class DaemonScenario implements Scenario {
  readonly name = 'daemon';
  readonly parallel = 2;
  readonly #lab: Lab;
  #template: Template | undefined;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  async prepare(): Promise<Counts> {
    await traceTaskProcesses();
    const template = (this.#template = await makeTemplate(join(this.#lab.folder, this.name)));
    return this.#lab.inFolder(async (folder) => {
      const world = await makeWorld(template, folder);
      const counts = { daemon: join(folder, 'daemon-counts.json'), task: join(folder, 'task-counts.json') };
      await writeFile(world.traceFile, JSON.stringify({ ...daemonTrace, counts: counts.daemon }));
      await writeFile(world.taskTraceFile, JSON.stringify({ ...taskTrace, counts: counts.task }));
      const daemon = new DaemonProcess(folder, world.traceFile);
      try {
        await daemon.ready();
        await daemon.run('datacenter');
        await daemon.idle();
        await daemon.stop();
      } finally {
        daemon.kill();
      }
      return { ...(await this.#lab.readCounts(counts.daemon)), ...(await this.#lab.readCounts(counts.task)) };
    });
  }

  async attempt(moment: Moment, depth: Depth): Promise<Attempt> {
    const template = this.#template;
    if (!template) throw new Error('an attempt came before `prepare`');
    return this.#lab.inFolder(async (folder) => {
      const world = await makeWorld(template, folder);
      const findings = new Findings();
      const running: DaemonProcess[] = [];
      const start = (traceFile?: string): DaemonProcess => {
        const daemon = new DaemonProcess(folder, traceFile);
        running.push(daemon);
        return daemon;
      };
      try {
        const killed = await (moment.phase === 'daemon'
          ? killDaemon(world, moment, start, findings)
          : killTask(world, moment, start, findings));
        if (killed) await this.#findInWorld(template, folder, findings, depth);
        return { killed, findings, restored: killed && depth.restore };
      } finally {
        for (const daemon of running) daemon.kill();
      }
    });
  }

  async #findInWorld(template: Template, folder: string, findings: Findings, depth: Depth): Promise<void> {
    const { datastore, items } = template;
    const place = { ...template.place, repository: join(folder, 'repository'), state: join(folder, 'elsewhere') };
    await mkdir(place.state);
    const after = { place, datastore, items, promised: [], scratch: folder, depth };
    await findComplete(after, findings, this.#lab.locks);
  }
}

type Start = (traceFile?: string) => DaemonProcess;

async function killDaemon(world: World, moment: Moment, start: Start, findings: Findings): Promise<boolean> {
  await writeFile(world.traceFile, JSON.stringify({ ...daemonTrace, kill: moment }));
  const first = start(world.traceFile);
  const asked = (await first.ready()) ? await first.run('datacenter') : undefined;
  if (asked) await first.idle();
  if (!first.killed) await first.stop();
  if (!first.killed) return false;
  const left = await until('what the daemon started ends by itself', async () => {
    const found = await processesOf(world.folder);
    return found.length === 0 ? found : undefined;
  }).catch(() => processesOf(world.folder));
  findings.expectSame('processes that outlive their daemon', left, []);

  const next = start();
  findings.expect(await next.ready(), `the next daemon does not start: ${next.output.slice(-1000)}`);
  await next.idle();
  const history = await next.history();
  if (asked) {
    const task = history.find(({ id }) => id === asked.id);
    findings.expect(task !== undefined, 'a task that was answered is not in the history');
  }
  findRepetitions(history, findings);
  await findNextRuns(
    next,
    findings,
    history.some(({ state }) => state === 'done'),
  );
  return true;
}

/** Each interrupted task was repeated once and then finished; nothing else happened. */
function findRepetitions(history: readonly EndedTaskView[], findings: Findings): void {
  for (const task of history) {
    const repeats = history.filter(({ trigger }) => trigger.detail === task.id);
    const expected = task.state === 'interrupted' ? ['done'] : [];
    findings.expectSame(
      `what repeats a task that ended as ${task.state}`,
      repeats.map(({ state }) => state),
      expected,
    );
  }
  const others = history.filter(({ state }) => state !== 'done' && state !== 'interrupted');
  findings.expectSame(
    'tasks with another end',
    others.map(({ state, result }) => [state, result.problem]),
    [],
  );
}

async function killTask(world: World, moment: Moment, start: Start, findings: Findings): Promise<boolean> {
  await writeFile(world.taskTraceFile, JSON.stringify({ ...taskTrace, kill: moment }));
  const daemon = start();
  findings.expect(await daemon.ready(), 'the daemon does not start');
  await daemon.run('datacenter');
  await daemon.idle();
  const [task] = await daemon.history();
  if (task?.state === 'done') return false;
  findings.expectSame('the end of the task', [task?.state, task?.result.problem?.code], ['failed', 'task.crashed']);
  await findNextRuns(daemon, findings, false);
  return true;
}

/** The next run finishes with everything stored, and the one after it stores nothing; then the daemon stops in order. */
async function findNextRuns(daemon: DaemonProcess, findings: Findings, stored: boolean): Promise<void> {
  const before = (await daemon.history()).length;
  for (let runs = stored ? 1 : 0; runs < 2; runs += 1) {
    await daemon.run('datacenter');
    await daemon.idle();
  }
  const runs = (await daemon.history()).slice(before);
  findings.expectSame(
    'the next runs',
    runs.map(({ state }) => state),
    stored ? ['done'] : ['done', 'done'],
  );
  const packs = runs.at(-1)?.result.repositories.map(({ storedPacks }) => storedPacks);
  findings.expectSame('packs that the last run stored', packs, [0]);
  await daemon.stop();
  const { code } = await daemon.exited;
  findings.expectSame('the exit code of a daemon that was asked to stop', code, 0);
}

async function makeWorld(template: Template, folder: string): Promise<World> {
  await cp(template.place.repository, join(folder, 'repository'), { recursive: true });
  await mkdir(join(folder, 'tmp'));
  await writeFile(join(folder, 'password'), password, { mode: 0o600 });
  await writeFile(join(folder, 'config.yml'), configuration(folder, template.datastore));
  return { folder, traceFile: join(folder, 'trace.json'), taskTraceFile: join(folder, 'tmp', 'task-trace.json') };
}

function configuration(folder: string, datastore: string): string {
  return `
device: pbs1
timezone: UTC
daemon: { listen: 127.0.0.1:0, state: ${join(folder, 'state')}, concurrency: 1 }
repositories:
  nas: { type: filesystem, path: ${join(folder, 'repository')}, password: { file: ${join(folder, 'password')} } }
backups:
  datacenter:
    source: { type: pbs, datastore: ${datastore}, snapshots: all }
    repositories: [nas]
    limits: { retries: 0, threads: 1 }
`;
}

/** Task processes get no loader from their daemon, so in the compiled tree their program begins with the tracer. */
async function traceTaskProcesses(): Promise<void> {
  const path = fileURLToPath(new URL('../../src/tasks/process/task-process-main.js', import.meta.url));
  const text = await readFile(path, 'utf8');
  await writeFile(path, `import '../../../test/crash/tracer.mjs';\n${text}`);
}
