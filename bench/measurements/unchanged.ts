/** Again over a datastore that did not change: what it costs to find out that there is nothing to do. */
import { join } from 'node:path';
import type { Figure, Measurement, World } from '../bench.ts';
import { makeImage, remove, withoutChunks } from '../datastores.ts';
import { atMost, mebibytes, seconds } from '../figures.ts';
import { Nestegg, type Run } from '../nestegg.ts';

const chunkSize = 4 * 2 ** 20;
const limitMs = 5_000;

export const unchangedMeasurement: Measurement = {
  name: 'unchanged',
  title: 'Nothing changed',
  run,
};

async function run(world: World): Promise<readonly Figure[]> {
  const { say, size } = world;
  const chunks = size.unchangedChunks;
  say(`writing a datastore with an image of ${chunks.toLocaleString('en')} chunks of 4 MiB`);
  const path = join(world.folder, 'unchanged-datastore');
  const datastore = await makeImage(path, { sizeBytes: chunks * chunkSize, chunkSize, content: 'quick' });
  // The made-up chunks hold a TiB of zeros between them; only reading them would take an hour.
  const nestegg = await Nestegg.install(world, 'unchanged', { datastore: path, verify: 'crc' });
  say('first backup');
  await nestegg.backUp();
  say('again, without its chunk files');
  const again = await withoutChunks(path, () => nestegg.backUp());
  await datastore.add(0);
  say('a new snapshot of the same image, without its chunk files');
  const snapshot = await withoutChunks(path, () => nestegg.backUp());
  nestegg.remove();
  remove(path);
  const image = `image of ${chunks.toLocaleString('en')} chunks`;
  return [
    figure(`again over an unchanged datastore, ${image}`, again),
    figure(`a new PBS snapshot in which nothing changed, ${image}`, snapshot),
  ];
}

function figure(what: string, run: Run): Figure {
  const detail = `${seconds(run.processorMs)} processor, ${mebibytes(run.peakBytes)}`;
  return { what, ours: `${seconds(run.wallMs)} (${detail})`, goal: atMost(limitMs, run.wallMs, seconds) };
}
