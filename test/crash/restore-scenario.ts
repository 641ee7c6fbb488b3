/** A restore of everything into a new datastore, while what is there already must never look like more than it is. */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { systemClock } from '../../src/core/clock.ts';
import { equalBytes, toHex } from '../../src/core/bytes.ts';
import { chunkPath, manifestFile } from '../../src/engine/pbs/layout.ts';
import { createDatastore } from '../../src/engine/pbs/datastore-writer/create-datastore.ts';
import { removeLeftovers } from '../../src/engine/pbs/datastore-writer/leftovers.ts';
import { isOurTemporary } from '../../src/engine/pbs/datastore-writer/new-file.ts';
import { DynamicIndex } from '../../src/engine/pbs/dynamic-index.ts';
import { FixedIndex } from '../../src/engine/pbs/fixed-index.ts';
import { compareTrees } from '../support/datastore/trees.ts';
import { openAt, restoreAll, type EngineOrder, type RepositoryPlace } from './engine.ts';
import { Findings, type Attempt, type Lab, type Scenario } from './lab.ts';
import type { Counts, Moment, TraceOrder } from './moments.ts';
import { copyRepository, fill, makeTemplate, type Template } from './template.ts';

const traced: TraceOrder = { rules: [{ phase: 'restore', path: '/restored/' }] };

export class RestoreScenario implements Scenario {
  readonly name = 'restore';
  readonly parallel = 2;
  readonly #lab: Lab;
  #template: Template | undefined;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  async prepare(): Promise<Counts> {
    const template = (this.#template = await makeTemplate(join(this.#lab.folder, this.name)));
    await fill(template, this.#lab.locks);
    return this.#lab.inFolder(async (folder) => {
      const counts = join(folder, 'counts.json');
      await this.#run(template, folder, { ...traced, counts });
      return this.#lab.readCounts(counts);
    });
  }

  async attempt(moment: Moment): Promise<Attempt> {
    const template = this.#template;
    if (!template) throw new Error('an attempt came before `prepare`');
    return this.#lab.inFolder(async (folder) => {
      const { place, target, killed } = await this.#run(template, folder, { ...traced, kill: moment });
      const findings = new Findings();
      if (!killed) return { killed, findings, restored: false };
      await findHalves(template.datastore, target, findings);
      await this.#restoreAgain(template.datastore, place, target, findings);
      return { killed, findings, restored: true };
    });
  }

  async #restoreAgain(original: string, place: RepositoryPlace, target: string, findings: Findings): Promise<void> {
    const repository = await openAt(place, this.#lab.locks);
    try {
      const { state, problem, refused } = await restoreAll(repository, target);
      findings.expectSame('the next restore', [state, problem, refused], ['done', undefined, []]);
    } finally {
      await repository.close();
    }
    await removeLeftovers(target, systemClock.now() + 3_600_000);
    const differences = await compareTrees(original, target);
    // Beside the data of a group a temporary file may stay, which neither PBS nor we ever take for anything else.
    const harmful = differences.filter((line) => !(line.startsWith(`only in ${target}: `) && isOurTemporary(line)));
    findings.expectSame('restored and original', harmful, []);
  }

  async #run(template: Template, folder: string, trace: TraceOrder) {
    const place = await copyRepository(template, folder);
    const target = join(folder, 'restored');
    await mkdir(target);
    await createDatastore(target, { chunkFolders: 'none' });
    const order: EngineOrder = { work: 'restore', place, datastore: target };
    return { place, target, ...(await this.#lab.runChild('engine-child.fixture', folder, order, trace)) };
  }
}

/** Everything under a final name is whole; a snapshot with a manifest has all its files and all its chunks. */
async function findHalves(original: string, target: string, findings: Findings): Promise<void> {
  const entries = await readdir(target, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile() || /\.tmp_/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const name = relative(target, path);
    const same = equalBytes(await readFile(path), await readFile(join(original, name)).catch(() => new Uint8Array(1)));
    findings.expect(same, `after the kill ${name} is not what it was`);
    if (entry.name === manifestFile) await findMissing(original, target, relative(target, entry.parentPath), findings);
  }
}

async function findMissing(original: string, target: string, snapshot: string, findings: Findings): Promise<void> {
  const names = async (root: string): Promise<string[]> => (await readdir(join(root, snapshot))).sort();
  const expected = await names(original);
  findings.expectSame(`files of ${snapshot}, which has its manifest`, await names(target), expected);
  const chunks = new Set((await readdir(join(target, '.chunks'), { recursive: true })).map((path) => basename(path)));
  for (const name of expected) {
    const fixed = name.endsWith('.fidx');
    if (!fixed && !name.endsWith('.didx')) continue;
    const bytes = await readFile(join(original, snapshot, name));
    const index = fixed ? new FixedIndex(bytes) : new DynamicIndex(bytes);
    for (let at = 0; at < index.count; at += 1) {
      const there = chunks.has(toHex(index.digestAt(at)));
      findings.expect(there, `${name} of ${snapshot} is there without ${chunkPath(index.digestAt(at))}`);
    }
  }
}
