/**
 * # Bench: speed and memory, beside a peer, in one run
 *
 * Words: a *measurement* prepares what it needs, measures, and answers *figures*. A figure is one line of the table: ours,
 * the peer's, their ratio, and the goal where there is one. The *size* is full or quick; quick is for development, and its
 * figures say little about the goals, because what a process costs to start outweighs the rest.
 *
 * Invariants: nothing is asserted: a goal that is not met is printed, and the run ends with 0. Everything lies in one
 * folder. What is measured is the built command line in a process of its own; memory and processor time are read from the
 * kernel while it runs. Whoever runs it gets the same datastores, byte for byte: all follows from one seed.
 */
import type { Clock } from '../src/core/clock.ts';
import type { LargeDatastore } from './datastores.ts';

export interface Size {
  readonly name: 'full' | 'quick';
  /** Chunks of 64 KiB in the image of which 1 % changes. */
  readonly manyChunks: number;
  /** Chunks of 4 MiB in the image that does not change: 1 TiB when full. */
  readonly unchangedChunks: number;
  /** Of the data whose first backup is measured, before PBS compressed it. */
  readonly largeMegabytes: number;
  /** The middle one counts where something is measured several times. */
  readonly repetitions: number;
  /** Free space that the folder must have. */
  readonly neededBytes: number;
}

export const sizes: Readonly<Record<Size['name'], Size>> = {
  full: {
    name: 'full',
    manyChunks: 1_000_000,
    unchangedChunks: 262_144,
    largeMegabytes: 6144,
    repetitions: 3,
    neededBytes: 15 * 2 ** 30,
  },
  quick: {
    name: 'quick',
    manyChunks: 20_000,
    unchangedChunks: 16_384,
    largeMegabytes: 384,
    repetitions: 1,
    neededBytes: 2 * 2 ** 30,
  },
};

export interface Restic {
  /** `restic 0.14.0 …` */
  readonly version: string;
}

export interface World {
  readonly size: Size;
  /** Everything lies below it. */
  readonly folder: string;
  /** The built program, `dist`. */
  readonly program: string;
  /** Undefined where it cannot be had: its figures are missing then. */
  readonly restic: Restic | undefined;
  /** Made when it is first asked for; two measurements use it. */
  readonly large: LargeDatastore;
  /** Drops the page cache before each run that is measured. */
  readonly cold: boolean;
  /** Where processor profiles of our own processes go; undefined: none are taken. */
  readonly profiles: string | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Says what is being done. */
  readonly say: (text: string) => void;
}

export interface Figure {
  readonly what: string;
  readonly ours: string;
  readonly peer?: string;
  readonly ratio?: string;
  readonly goal?: Goal;
}

export interface Goal {
  readonly text: string;
  readonly met: boolean;
}

export interface Measurement {
  /** What `--only` calls it. */
  readonly name: string;
  readonly title: string;
  run(world: World): Promise<readonly Figure[]>;
}
