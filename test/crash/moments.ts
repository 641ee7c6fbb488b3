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

/** Before the call, after it, or, for one that writes, with half of its bytes written. */
export type Place = 'before' | 'torn' | 'after';

export interface Moment {
  readonly phase: Phase;
  /** Number of the call in its phase, from 1; of a torn one, among those that write. */
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

export interface CallCount {
  readonly calls: number;
  /** Those of them that write bytes. */
  readonly writes: number;
}

export type Counts = Readonly<Partial<Record<Phase, CallCount>>>;

/**
 * Moments of a phase with so many calls, in an order that follows from the seed: one before a call, one after a call, one in
 * the middle of a write, and so on. When all of a kind were drawn, they are drawn again.
 */
export function* drawMoments(phase: Phase, { calls, writes }: CallCount, seed: string): Generator<Moment, never> {
  if (calls < 1) throw new RangeError(`no call of the phase ${phase} was counted`);
  const kinds = [drawPlace('before', calls), drawPlace('after', calls), drawPlace('torn', writes)];
  for (;;) for (const kind of kinds) yield* kind();

  function drawPlace(place: Place, count: number): () => Moment[] {
    const random = new SeededRandom(`${seed}|${phase}|${place}`);
    let left: number[] = [];
    return () => {
      if (left.length === 0) left = Array.from({ length: count }, (_, at) => at + 1);
      return left.splice(random.below(Math.max(1, left.length)), 1).map((call) => ({ phase, call, place }));
    };
  }
}

/** Of whole daemons fewer will do: each costs as much as four of the others, and what they do stands in the other phases too. */
const leastOf: Readonly<Partial<Record<Phase, number>>> = { 'task process': 10, daemon: 10 };
const leastOfOthers = 20;

/** How many moments of each phase: its least, and what is left of `total` shared evenly by the phases of files. */
export function shareMoments(chosen: readonly Phase[], total: number): ReadonlyMap<Phase, number> {
  const shares = new Map(chosen.map((phase) => [phase, leastOf[phase] ?? leastOfOthers]));
  const others = chosen.filter((phase) => leastOf[phase] === undefined);
  const least = [...shares.values()].reduce((sum, share) => sum + share, 0);
  for (let left = total - least, at = 0; left > 0; left -= 1, at += 1) {
    const phase = (others.length > 0 ? others : chosen)[at % (others.length || chosen.length)];
    if (phase !== undefined) shares.set(phase, (shares.get(phase) ?? 0) + 1);
  }
  return shares;
}

export function momentText({ phase, call, place }: Moment): string {
  return `${phase}, ${place === 'torn' ? 'in the middle of write' : `${place} call`} ${String(call)}`;
}
