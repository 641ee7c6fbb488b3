/** A backup of a whole datastore into an empty repository: packs, index segments, barriers, entries. */
import { join } from 'node:path';
import type { EngineOrder } from './engine.ts';
import { Findings, type Attempt, type Depth, type Lab, type Scenario } from './lab.ts';
import type { Counts, Moment, TraceOrder } from './moments.ts';
import { findInRepository } from './repository-findings.ts';
import { copyRepository, makeTemplate, type Template } from './template.ts';

/** Files by phase; what is noted on this machine about an entry belongs to the entry. */
const traced: TraceOrder = {
  rules: [
    { phase: 'pack', path: '/repository/packs(/|$)' },
    { phase: 'index', path: '/repository/index(/|$)' },
    { phase: 'entry', path: '/repository/(journal|checkpoints)(/|$)|/state/repositories/' },
  ],
  told: { barrier: 'barrier' },
};

export class BackupScenario implements Scenario {
  readonly name = 'backup';
  readonly parallel = 2;
  readonly #lab: Lab;
  #template: Template | undefined;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  async prepare(): Promise<Counts> {
    const template = (this.#template = await makeTemplate(join(this.#lab.folder, this.name)));
    return this.#lab.inFolder(async (folder) => {
      const counts = join(folder, 'counts.json');
      await this.#run(template, folder, { ...traced, counts });
      return this.#lab.readCounts(counts);
    });
  }

  async attempt(moment: Moment, depth: Depth): Promise<Attempt> {
    const template = this.#template;
    if (!template) throw new Error('an attempt came before `prepare`');
    return this.#lab.inFolder(async (folder) => {
      const { place, killed, told } = await this.#run(template, folder, { ...traced, kill: moment });
      const findings = new Findings();
      if (!killed) return { killed, findings, restored: false };
      const promised = told.flatMap((line) => JSON.parse(line) as string[]);
      const { datastore, items } = template;
      await findInRepository({ place, datastore, items, promised, scratch: folder, depth }, findings, this.#lab.locks);
      return { killed, findings, restored: depth.restore };
    });
  }

  async #run(template: Template, folder: string, trace: TraceOrder) {
    const place = await copyRepository(template, folder);
    const order: EngineOrder = { work: 'backup', place, datastore: template.datastore };
    return { place, ...(await this.#lab.runChild('engine-child.fixture', folder, order, trace)) };
  }
}
