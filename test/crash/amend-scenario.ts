/** A backup that finds notes, owners and protection changed: all that it writes is its amendment. */
import { rm, writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeBlob } from '../../src/engine/pbs/data-blob.ts';
import { openDatastore } from '../../src/engine/pbs/datastore.ts';
import { manifestFile, notesFile, ownerFile, protectedFile } from '../../src/engine/pbs/layout.ts';
import { decodeManifest, encodeManifest } from '../../src/engine/pbs/manifest.ts';
import type { EngineOrder } from './engine.ts';
import { Findings, type Attempt, type Depth, type Lab, type Scenario } from './lab.ts';
import type { Counts, Moment, TraceOrder } from './moments.ts';
import { findInRepository } from './repository-findings.ts';
import { copyRepository, fill, makeTemplate, type Template } from './template.ts';

const traced: TraceOrder = {
  rules: [{ phase: 'amend', path: '/repository/(packs|index|journal)(/|$)|/state/repositories/' }],
  told: { barrier: 'amend' },
};

export class AmendScenario implements Scenario {
  readonly name = 'amend';
  readonly parallel = 2;
  readonly #lab: Lab;
  #template: Template | undefined;
  #promised: readonly string[] = [];

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  async prepare(): Promise<Counts> {
    const template = (this.#template = await makeTemplate(join(this.#lab.folder, this.name)));
    this.#promised = await fill(template, this.#lab.locks);
    await changeWhatMayChange(template.datastore);
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
      const { place, killed } = await this.#run(template, folder, { ...traced, kill: moment });
      const findings = new Findings();
      if (!killed) return { killed, findings, restored: false };
      const { datastore, items } = template;
      const after = { place, datastore, items, promised: this.#promised, scratch: folder, depth };
      await findInRepository(after, findings, this.#lab.locks);
      return { killed, findings, restored: depth.restore };
    });
  }

  async #run(template: Template, folder: string, trace: TraceOrder) {
    const place = await copyRepository(template, folder);
    const order: EngineOrder = { work: 'backup', place, datastore: template.datastore };
    return { place, ...(await this.#lab.runChild('engine-child.fixture', folder, order, trace)) };
  }
}

/** Other notes everywhere, other owners, and protection where there was none and none where there was. */
async function changeWhatMayChange(path: string): Promise<void> {
  const datastore = await openDatastore(path);
  for (const group of await datastore.listGroups()) {
    await writeFile(join(group.directory, notesFile), `changed notes of ${group.id}\n`);
    await writeFile(join(group.directory, ownerFile), 'other@pam\n');
    for (const snapshot of await datastore.listSnapshots(group)) {
      const manifest = join(snapshot.directory, manifestFile);
      const { json } = decodeManifest(await readFile(manifest));
      const notes = { unprotected: { notes: `changed notes of ${String(snapshot.timeSeconds)}` } };
      await writeFile(manifest, encodeBlob(encodeManifest({ ...json, ...notes }), { level: 1 }));
      const mark = join(snapshot.directory, protectedFile);
      await (snapshot.protected ? rm(mark) : writeFile(mark, ''));
    }
  }
}
