/** A million chunks, of which 1 % change: cost in proportion to what is new, and the memory of a task. */
import { join } from 'node:path';
import type { Figure, Measurement, World } from '../bench.ts';
import { makeImage, remove } from '../datastores.ts';
import { atLeast, atMost, mebibytes, percent, seconds, times } from '../figures.ts';
import type { Usage } from '../measured-process.ts';
import { Nestegg, type Run } from '../nestegg.ts';
import { ResticRepository } from '../peers.ts';

const chunkSize = 65_536;
const changed = 0.01;
const memoryLimit = 512 * 2 ** 20;
const wantedRatio = 20;

export const manyMeasurement: Measurement = {
  name: 'many',
  title: 'One percent of many chunks',
  run,
};

async function run(world: World): Promise<readonly Figure[]> {
  const { say, size } = world;
  const chunks = size.manyChunks;
  say(`writing a datastore with an image of ${chunks.toLocaleString('en')} chunks of 64 KiB`);
  const path = join(world.folder, 'many-datastore');
  const datastore = await makeImage(path, { sizeBytes: chunks * chunkSize, chunkSize, content: 'quick' });
  const nestegg = await Nestegg.install(world, 'many', { datastore: path, verify: 'digest' });
  const restic = await ResticRepository.init(world, 'many-restic');
  say('first backup');
  const first = await nestegg.backUp();
  say('first backup with restic');
  const firstOfRestic = await restic?.backUp(path);
  await datastore.add(0);
  say('a snapshot in which nothing changed');
  const nothing = await nestegg.backUp();
  // Before the one that is compared, so that restic too finds nothing but the last snapshot new.
  await restic?.backUp(path);
  await datastore.add(changed);
  say('a snapshot in which 1 % changed');
  const some = await nestegg.backUp();
  say('the same with restic');
  const someOfRestic = await restic?.backUp(path);
  nestegg.remove();
  restic?.remove();
  remove(path);
  return figures({ chunks, first, firstOfRestic, nothing, some, someOfRestic });
}

interface Results {
  readonly chunks: number;
  readonly first: Run;
  readonly firstOfRestic: Usage | undefined;
  readonly nothing: Run;
  readonly some: Run;
  readonly someOfRestic: Usage | undefined;
}

function figures({ chunks, first, firstOfRestic, nothing, some, someOfRestic }: Results): readonly Figure[] {
  const image = `${chunks.toLocaleString('en')} chunks`;
  const ratio = someOfRestic && someOfRestic.wallMs / some.wallMs;
  const fresh = some.result.chunks.toLocaleString('en');
  const peak = Math.max(first.peakBytes, some.peakBytes);
  return [
    {
      what: `first backup of ${image} of 64 KiB, verify: digest; peer: restic`,
      ours: told(first),
      ...(firstOfRestic && { peer: told(firstOfRestic), ratio: times(firstOfRestic.wallMs / first.wallMs) }),
    },
    { what: `a new PBS snapshot of ${image} in which nothing changed`, ours: told(nothing) },
    {
      what: `a new PBS snapshot in which ${fresh} of ${image} changed; peer: restic`,
      ours: told(some),
      ...(someOfRestic && ratio !== undefined
        ? { peer: told(someOfRestic), ratio: times(ratio), goal: atLeast(wantedRatio, ratio, times) }
        : {}),
    },
    {
      what: `the same; peer: our own first backup`,
      ours: seconds(some.wallMs),
      peer: seconds(first.wallMs),
      ratio: percent(some.wallMs / first.wallMs),
    },
    {
      what: `memory of the task (RssAnon), ${image}`,
      ours: mebibytes(peak),
      ...(firstOfRestic && { peer: mebibytes(firstOfRestic.peakBytes) }),
      goal: atMost(memoryLimit, peak, mebibytes),
    },
  ];
}

function told(usage: Usage): string {
  return `${seconds(usage.wallMs)} (${seconds(usage.processorMs)} processor)`;
}
