/**
 * # Crash: processes killed at counted moments, and what is left of their work
 *
 * Words: a *call* changes a file, or is a barrier or a commit. A *phase* is what the calls belong to, by the name of the
 * file. A *moment* is one place at one call of one phase. A *scenario* is some work that is killed and then looked at. A
 * *loss* is anything that was promised and is not so afterwards; there must be none.
 */
import { SeededRandom } from '../support/datastore/seeded.ts';

export const phases = [
  'pack',
  'index',
  'barrier',
  'entry',
  'amend',
  'restore',
  'queue commit',
  'task process',
  'daemon',
] as const;
export type Phase = (typeof phases)[number];

/** Before the call, after it, or with half of its bytes written (for a call that writes none: after it). */
export type Place = 'before' | 'torn' | 'after';

export interface Moment {
  readonly phase: Phase;
  /** Number of the call in its phase, from 1. */
  readonly call: number;
  readonly place: Place;
}

/** What `tracer.mjs` is told. */
export interface TraceOrder {
  /** Paths that match the first fitting rule are calls of its phase; regular expressions. */
  readonly rules: readonly { readonly phase: Phase; readonly path: string }[];
  /** Phases of what is no file call and is told by name: `duringCall`. */
  readonly told?: Readonly<Record<string, Phase>>;
  readonly kill?: Moment;
  /** Where the number of calls by phase is written at an orderly end. */
  readonly counts?: string;
  /** Only the first process that reads the order obeys it. */
  readonly once?: boolean;
}

export type Counts = Readonly<Partial<Record<Phase, number>>>;

/** All moments of a phase with so many calls, in an order that follows from the seed; drawing goes on from the start. */
export function* drawMoments(phase: Phase, calls: number, seed: string): Generator<Moment, never> {
  if (calls < 1) throw new RangeError(`no call of the phase ${phase} was counted`);
  const places: readonly Place[] = ['before', 'torn', 'after'];
  for (let round = 0; ; round += 1) {
    const random = new SeededRandom(`${seed}|${phase}|${String(round)}`);
    const left = Array.from({ length: calls }, (_, at) => at + 1).flatMap((call) =>
      places.map((place): Moment => ({ phase, call, place })),
    );
    while (left.length > 0) {
      const [moment] = left.splice(random.below(left.length), 1);
      if (moment) yield moment;
    }
  }
}

/** Moments for each phase: at least `least`, and together `total`, shared evenly. */
export function shareMoments(chosen: readonly Phase[], total: number, least: number): ReadonlyMap<Phase, number> {
  const each = Math.max(least, Math.floor(total / chosen.length));
  let over = Math.max(0, total - each * chosen.length);
  return new Map(chosen.map((phase) => [phase, each + (over-- > 0 ? 1 : 0)]));
}

export function momentText({ phase, call, place }: Moment): string {
  return `${phase}, ${place} call ${String(call)}`;
}
