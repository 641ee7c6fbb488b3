/** What happens in the demo, step by step, told through the command line, the daemon's log and the bucket. */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatSize } from '../../src/core/units.ts';
import { createDatastore } from '../../src/engine/pbs/datastore-writer/create-datastore.ts';
import { addSnapshot, type GeneratedSnapshot } from '../../test/support/datastore/generator.ts';
import type { TaskProgress, TaskResult } from '../../src/tasks/task.ts';
import { bytesBelow, compareDatastores, filesBelow } from './compare.ts';
import { Daemon } from './daemon.ts';
import { startGateway, type Gateway } from './gateway.ts';
import { machineIn, newPasswords, prefix, setUp, type Machine, type Passwords } from './machine.ts';
import { nestegg, progressOf, resultOf, snapshotsOf, storedIn, tryNestegg } from './nestegg.ts';
import { demoPlan, type DemoPlan } from './plan.ts';
import type { StepResult, Tell } from './steps.ts';
import type { Figures } from './summary.ts';
import { DemoError, type World } from './world.ts';

export const repositories = ['directory', 'sia'] as const;
type Repository = (typeof repositories)[number];

/** States: every `Step` of `steps` once, in that order. */
export class Story {
  readonly #world: World;
  readonly #plan: DemoPlan;
  readonly #machine: Machine;
  readonly #passwords: Passwords = newPasswords();
  readonly #snapshots: GeneratedSnapshot[] = [];
  #gateway: Gateway | undefined;
  #daemon: Daemon | undefined;
  /** Of the repository `sia`: printed once, kept by a person, written nowhere here. */
  #recoveryCode = '';
  #committed: Readonly<Record<Repository, number>> = { directory: 0, sia: 0 };
  #compared = '';
  #datastoreBytes = 0;

  constructor(world: World) {
    this.#world = world;
    this.#plan = demoPlan(world.clock.now());
    this.#machine = machineIn(world.folders.machine);
  }

  readonly steps: readonly (readonly [step: string, work: (tell: Tell) => Promise<StepResult>])[] = [
    ['write a PBS datastore', (tell) => this.#writeDatastore(tell)],
    ['start a Sia gateway (simulated)', () => this.#startGateway()],
    ['create two repositories', () => this.#createRepositories()],
    ['back it up, and kill -9 the daemon on the way', (tell) => this.#killOnTheWay(tell)],
    ['start the daemon again: the backup goes on', (tell) => this.#goOn(tell)],
    ['check both repositories', () => this.#check()],
    ['a new snapshot appears: the watch backs it up', (tell) => this.#watch(tell)],
    ['the machine burns', () => this.#burn()],
    ['recover from the bucket and the code alone', (tell) => this.#recover(tell)],
    ['compare with the datastore before the fire', () => this.#compare()],
    ['set the machine up again', (tell) => this.#setUpAgain(tell)],
  ];

  get figures(): Figures {
    return {
      snapshots: this.#snapshots.length,
      shownBytes: this.#shownBytes,
      datastoreBytes: this.#datastoreBytes,
      directoryBytes: bytesBelow(this.#machine.repository),
      bucketBytes: bytesBelow(this.#world.folders.gateway),
      compared: this.#compared,
    };
  }

  get daemon(): Daemon {
    return must(this.#daemon);
  }

  get machine(): Machine {
    return this.#machine;
  }

  get #shownBytes(): number {
    return this.#snapshots.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  /** One more snapshot of the web server, as PBS would write it tonight. */
  async addSnapshot(): Promise<GeneratedSnapshot> {
    const { datastore, web } = this.#plan;
    const number = this.#snapshots.filter(({ name }) => name.type === web.type && name.id === web.id).length;
    const added = await addSnapshot(this.#machine.datastore, datastore.seed, web, number);
    this.#snapshots.push(added);
    return added;
  }

  async #writeDatastore(tell: Tell): Promise<StepResult> {
    const { machines, seed } = this.#plan.datastore;
    const { datastore } = this.#machine;
    await createDatastore(datastore, { chunkFolders: 'none' });
    for (const machine of machines) {
      for (let number = 0; number < machine.snapshots; number++) {
        tell(`${machine.type}/${machine.id}, snapshot ${String(number + 1)} of ${String(machine.snapshots)}`);
        this.#snapshots.push(await addSnapshot(datastore, seed, machine, number));
        // Lets a Ctrl-C and the clock on the terminal through.
        await this.#world.clock.sleep(0, { signal: this.#world.signal });
      }
    }
    const what = `${String(this.#snapshots.length)} snapshots of ${String(machines.length)} machines in 3 namespaces, ${formatSize(this.#shownBytes)} as PBS shows them`;
    const brief = `${String(this.#snapshots.length)} snapshots`;
    return { what, brief, size: formatSize(bytesBelow(datastore)) };
  }

  async #startGateway(): Promise<StepResult> {
    this.#gateway = await startGateway(this.#world);
    return { what: `renterd's S3 at ${this.#gateway.url}, without hosts or coins behind it`, brief: 'renterd' };
  }

  async #createRepositories(): Promise<StepResult> {
    setUp(this.#machine, must(this.#gateway), this.#passwords);
    await this.#nestegg(['--repository', 'directory', 'repository', 'init']);
    const kit = await this.#nestegg(['--repository', 'sia', 'repository', 'init']);
    const code = kit.find((line) => 'recoveryCode' in line)?.['recoveryCode'];
    if (typeof code !== 'string') throw new DemoError('`repository init` printed no recovery code');
    this.#recoveryCode = code;
    return {
      what: 'directory and sia (simulated), each with keys and a recovery code of its own',
      brief: 'directory, sia',
    };
  }

  async #killOnTheWay(tell: Tell): Promise<StepResult> {
    const daemon = (this.#daemon = await Daemon.start(this.#world, this.#machine.configFile));
    const task = await daemon.taskBy('pbs');
    const at = await this.#killAfterCommit(daemon, task, tell);
    this.#committed = { directory: await this.#countIn('directory'), sia: await this.#countIn('sia') };
    const { directory, sia } = this.#committed;
    if (directory === 0 || sia === 0) throw new DemoError('nothing was committed before the kill');
    const kept = `${String(sia)} of ${String(this.#snapshots.length)} snapshots are committed`;
    const brief = `${String(sia)} snapshots committed`;
    return {
      what: `killed at ${percent(at)} of the bytes: ${kept}`,
      brief,
      size: formatSize(bytesBelow(this.#machine.repository)),
    };
  }

  /** Follows the task, and kills the daemon as soon as it reads on after its first commit. */
  async #killAfterCommit(daemon: Daemon, task: string, tell: Tell): Promise<TaskProgress> {
    let committing = false;
    let killedAt: TaskProgress | undefined;
    let killing: Promise<void> | undefined;
    // Without its daemon, `tasks wait` would wait for the next one.
    const seenEnough = new AbortController();
    await tryNestegg(this.#world, this.#arguments(['tasks', 'wait', task]), {
      stop: seenEnough.signal,
      onLine: (line) => {
        const progress = progressOf(line);
        if (progress === undefined || killing !== undefined) return;
        tell(progressText(progress));
        if (progress.phase === 'commit') committing = true;
        else if (committing) {
          killedAt = progress;
          killing = daemon.kill();
          seenEnough.abort();
        }
      },
    });
    if (killedAt === undefined) throw new DemoError('the backup ended before it could be killed');
    await killing;
    return killedAt;
  }

  async #goOn(tell: Tell): Promise<StepResult> {
    const daemon = (this.#daemon = await Daemon.start(this.#world, this.#machine.configFile));
    const result = await this.#follow(await daemon.taskBy('retry'), tell);
    const parts = repositories.map((name) => {
      const rest = this.#snapshots.length - this.#committed[name];
      const { snapshots } = storedIn(result, name);
      if (snapshots !== rest) {
        throw new DemoError(`${name} got ${String(snapshots)} snapshots, and ${String(rest)} were missing`);
      }
      return snapshots;
    });
    const all = filesBelow(join(this.#machine.datastore, '.chunks'));
    if (result.chunks >= all) throw new DemoError('every chunk was read again');
    const what = `the other ${String(parts.at(-1))} snapshots: only ${String(result.chunks)} of all ${String(all)} chunks were missing, read and sent`;
    const brief = `${String(parts.at(-1))} snapshots, ${String(result.chunks)} chunks`;
    return { what, brief, size: formatSize(storedIn(result, 'directory').bytes) };
  }

  async #check(): Promise<StepResult> {
    for (const name of repositories) resultOf(await this.#nestegg(['--repository', name, 'check', '--wait']));
    return { what: 'the kill left nothing broken in either', brief: 'both whole' };
  }

  async #watch(tell: Tell): Promise<StepResult> {
    const daemon = this.daemon;
    const position = daemon.position;
    const added = await this.addSnapshot();
    const result = await this.#follow(await daemon.taskBy('pbs', position), tell);
    for (const name of repositories) {
      if (storedIn(result, name).snapshots !== 1) throw new DemoError(`the new snapshot is not in ${name}`);
    }
    const { name, sizeBytes } = added;
    const what = `${name.type}/${name.id}, ${formatSize(sizeBytes)}: only its ${String(result.chunks)} changed chunks were read and sent`;
    const brief = `1 snapshot, ${String(result.chunks)} chunks`;
    return { what, brief, size: formatSize(storedIn(result, 'directory').bytes) };
  }

  async #burn(): Promise<StepResult> {
    const { machine, original } = this.#world.folders;
    await this.daemon.kill();
    renameSync(this.#machine.datastore, original);
    rmSync(machine, { recursive: true });
    return {
      what: 'state, configuration, passwords, datastore and the repository directory are gone',
      brief: 'all gone but the bucket',
    };
  }

  /** The process gets the address of the bucket, the right to read it, and the code; nothing else is left to help it. */
  async #recover(tell: Tell): Promise<StepResult> {
    const { url, bucket, accessKey, secretKey } = must(this.#gateway);
    const location = `${url.replace('http://', 's3+http://')}/${bucket}/${prefix}`;
    // An empty datastore, as a new PBS has; but without its 65,536 chunk folders, which some disks take minutes to remove.
    await createDatastore(this.#machine.datastore, { chunkFolders: 'none' });
    const lines = await nestegg(
      this.#world,
      ['recover', location, '--code', '-', '--into-datastore', this.#machine.datastore],
      {
        environment: { NESTEGG_ACCESS_KEY: accessKey, NESTEGG_SECRET_KEY: secretKey },
        cwd: this.#world.folders.nowhere,
        input: `${this.#recoveryCode}\n`,
        onLine: (line) => {
          const progress = progressOf(line);
          if (progress) tell(progressText(progress));
        },
      },
    );
    const { items } = resultOf(lines);
    if (items !== this.#snapshots.length) throw new DemoError(`${String(items)} snapshots came back`);
    return {
      what: `all ${String(items)} snapshots`,
      brief: `${String(items)} snapshots`,
      size: formatSize(bytesBelow(this.#machine.datastore)),
    };
  }

  async #compare(): Promise<StepResult> {
    const { original } = this.#world.folders;
    const { files, bytes, differences } = await compareDatastores(original, this.#machine.datastore);
    if (differences.length > 0) {
      throw new DemoError(`the restored datastore differs:\n${differences.slice(0, 20).join('\n')}`);
    }
    this.#datastoreBytes = bytes;
    this.#compared = `${String(files)} files, byte for byte, with modes and owners`;
    return {
      what: `equal: ${this.#compared}`,
      brief: `${String(files)} files, no difference`,
      size: formatSize(bytes),
    };
  }

  async #setUpAgain(tell: Tell): Promise<StepResult> {
    setUp(this.#machine, must(this.#gateway), this.#passwords);
    await this.#nestegg(['--repository', 'directory', 'repository', 'init']);
    const daemon = (this.#daemon = await Daemon.start(this.#world, this.#machine.configFile));
    const result = await this.#follow(await daemon.taskBy('pbs'), tell);
    const { directory, sia } = { directory: storedIn(result, 'directory'), sia: storedIn(result, 'sia') };
    if (directory.snapshots !== this.#snapshots.length || sia.snapshots !== 0) {
      throw new DemoError(`directory got ${String(directory.snapshots)} snapshots, sia ${String(sia.snapshots)}`);
    }
    const what = 'a new directory got everything; sia had it all, and got nothing';
    const brief = `${String(directory.snapshots)} to directory, ${String(sia.snapshots)} to sia`;
    return { what, brief, size: formatSize(directory.bytes) };
  }

  #arguments(args: readonly string[]): readonly string[] {
    return ['--config', this.#machine.configFile, ...args];
  }

  #nestegg(args: readonly string[]) {
    return nestegg(this.#world, this.#arguments(args));
  }

  async #follow(task: string, tell: Tell): Promise<TaskResult> {
    const lines = await nestegg(this.#world, this.#arguments(['tasks', 'wait', task]), {
      onLine: (line) => {
        const progress = progressOf(line);
        if (progress) tell(progressText(progress));
      },
    });
    return resultOf(lines);
  }

  /** Without a daemon. */
  async #countIn(repository: Repository): Promise<number> {
    return snapshotsOf(await this.#nestegg(['--direct', '--repository', repository, 'snapshots'])).length;
  }
}

function progressText({ phase, doneBytes, totalBytes, item }: TaskProgress): string {
  const total = totalBytes === undefined ? '' : ` of ${formatSize(totalBytes)}`;
  return `${phase} ${formatSize(doneBytes)}${total} ${item ?? ''}`;
}

function percent({ doneBytes, totalBytes }: TaskProgress): string {
  return totalBytes === undefined || totalBytes === 0 ? '?' : `${String(Math.round((doneBytes / totalBytes) * 100))} %`;
}

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a step ran before the one that it needs');
  return value;
}
