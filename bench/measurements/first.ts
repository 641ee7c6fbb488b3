/** The first backup of realistic data to a directory, beside a plain copy of the same chunk files and beside restic. */
import type { Figure, Measurement, World } from '../bench.ts';
import { atLeast, middle, percent, rate, seconds, times } from '../figures.ts';
import type { Usage } from '../measured-process.ts';
import { Nestegg } from '../nestegg.ts';
import { bytesBelow, copyChunks, ResticRepository } from '../peers.ts';

const wantedOfCopy = 0.85;
const wantedOfRestic = 1.7;

export const firstMeasurement: Measurement = {
  name: 'first',
  title: 'First backup to a directory',
  run,
};

interface Round {
  readonly copy: Usage;
  readonly crc: Usage;
  readonly digest: Usage;
  readonly restic: Usage | undefined;
}

async function run(world: World): Promise<readonly Figure[]> {
  const { say, size, large } = world;
  say(`writing a datastore with ${size.largeMegabytes.toLocaleString('en')} MiB of realistic data`);
  const datastore = await large.path();
  const bytes = bytesBelow(datastore);
  const rounds: Round[] = [];
  // Taken in turns, so that a change of the machine's mood meets all of them.
  for (let number = 1; number <= size.repetitions; number += 1) {
    const round = `round ${String(number)} of ${String(size.repetitions)}`;
    say(`${round}: cp -r and sync`);
    const copy = await copyChunks(world, datastore, 'copy');
    say(`${round}: verify: crc`);
    const crc = await firstBackup(world, datastore, 'crc');
    say(`${round}: verify: digest`);
    const digest = await firstBackup(world, datastore, 'digest');
    say(`${round}: restic`);
    const restic = await firstOfRestic(world, datastore);
    rounds.push({ copy, crc, digest, restic });
  }
  return figures(rounds, bytes);
}

async function firstBackup(world: World, datastore: string, verify: 'digest' | 'crc'): Promise<Usage> {
  const nestegg = await Nestegg.install(world, 'first', { datastore, verify });
  const usage = await nestegg.backUp();
  nestegg.remove();
  return usage;
}

async function firstOfRestic(world: World, datastore: string): Promise<Usage | undefined> {
  const repository = await ResticRepository.init(world, 'first-restic');
  const usage = await repository?.backUp(datastore);
  repository?.remove();
  return usage;
}

function figures(rounds: readonly Round[], bytes: number): readonly Figure[] {
  const of = (usages: readonly Usage[]): Usage => middle(usages, ({ wallMs }) => wallMs);
  const copy = of(rounds.map((round) => round.copy));
  const crc = of(rounds.map((round) => round.crc));
  const digest = of(rounds.map((round) => round.digest));
  const resticRuns = rounds.flatMap((round) => (round.restic === undefined ? [] : [round.restic]));
  const restic = resticRuns.length === 0 ? undefined : of(resticRuns);
  const told = ({ wallMs, processorMs }: Usage): string =>
    `${seconds(wallMs)}, ${rate(bytes, wallMs)} (${seconds(processorMs)} processor)`;
  const beside = (ours: Usage, verify: string): Figure[] => {
    const ofCopy = copy.wallMs / ours.wallMs;
    const ofRestic = restic && restic.wallMs / ours.wallMs;
    const isGoal = verify === 'crc';
    return [
      {
        what: `first backup, verify: ${verify}; peer: cp -r and sync`,
        ours: told(ours),
        peer: told(copy),
        ratio: percent(ofCopy),
        ...(isGoal && { goal: atLeast(wantedOfCopy, ofCopy, percent) }),
      },
      {
        what: `first backup, verify: ${verify}; peer: restic`,
        ours: told(ours),
        ...(restic && ofRestic !== undefined
          ? {
              peer: told(restic),
              ratio: times(ofRestic),
              ...(isGoal && { goal: atLeast(wantedOfRestic, ofRestic, times) }),
            }
          : {}),
      },
    ];
  };
  return [...beside(crc, 'crc'), ...beside(digest, 'digest')];
}
