/** What the attempts of a scenario begin with: a datastore that all of them read, and a repository that each copies. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serialize } from 'node:v8';
import { systemClock } from '../../src/core/clock.ts';
import type { OsLocks } from '../../src/core/os-lock.ts';
import { systemRandom } from '../../src/core/random.ts';
import { Secret } from '../../src/core/secret.ts';
import { loadFormat } from '../../src/engine/format/load.ts';
import { initRepository } from '../../src/engine/repository/init.ts';
import { openFilesystemStorage } from '../../src/engine/storage/filesystem.ts';
import { generateDatastore } from '../support/datastore/generator.ts';
import { backUp, openAt, type RepositoryPlace } from './engine.ts';
import { crashPlan } from './plan.ts';

export const password = 'killed and well';

export interface Template {
  readonly datastore: string;
  /** `group@item` of all its snapshots, sorted. */
  readonly items: readonly string[];
  readonly place: RepositoryPlace;
}

/** A made-up datastore and an empty repository. */
export async function makeTemplate(folder: string): Promise<Template> {
  const at = (name: string): string => join(folder, name);
  await mkdir(folder);
  const { snapshots } = await generateDatastore(at('datastore'), crashPlan);
  const items = snapshots.map(({ name }) => `${name.namespace}|${name.type}/${name.id}@${String(name.timeSeconds)}`);
  const place = { repository: at('repository'), state: at('state'), keys: at('keys') };
  await mkdir(place.state);
  await makeRepository(place);
  return { datastore: at('datastore'), items: items.sort(), place };
}

/** Backs everything up; answers the ids of the snapshots. */
export async function fill(template: Template, locks: OsLocks): Promise<readonly string[]> {
  const repository = await openAt(template.place, locks);
  try {
    await backUp(template.datastore, repository);
    return repository.snapshots().map(({ id }) => id);
  } finally {
    await repository.close();
  }
}

async function makeRepository(place: RepositoryPlace): Promise<void> {
  await loadFormat();
  const storage = await openFilesystemStorage(place.repository, { access: 'create' });
  const { unlocked } = await initRepository({
    storage,
    password: new Secret(password),
    cost: { memoryKiB: 65_536, passes: 1, lanes: 1 },
    clock: systemClock,
    random: systemRandom,
  });
  await storage.close();
  await writeFile(place.keys, serialize(unlocked));
}

/** The repository, and what this machine knows of it, for one attempt to spoil. */
export async function copyRepository({ place }: Template, folder: string): Promise<RepositoryPlace> {
  const copy = { ...place, repository: join(folder, 'repository'), state: join(folder, 'state') };
  await cp(place.repository, copy.repository, { recursive: true });
  await cp(place.state, copy.state, { recursive: true });
  return copy;
}
