/** Draws moments for every phase, plays them, and adds up what was found. */
import type { Attempt, Depth, Lab, Scenario } from './lab.ts';
import { drawMoments, momentText, shareMoments, type Counts, type Moment, type Phase } from './moments.ts';

/** Every so manieth attempt reads all data, or restores and compares too. */
const dataEvery = 5;
const restoreEvery = 20;
const mostMisses = 10;

export interface Row {
  readonly phase: Phase;
  /** Counted in an undisturbed run. */
  readonly calls: number;
  readonly moments: number;
  readonly losses: number;
  readonly repairs: number;
}

export interface Campaign {
  readonly rows: readonly Row[];
  /** What was lost, with its moment. */
  readonly losses: readonly string[];
  /** Attempts after which everything was restored and compared. */
  readonly restored: number;
}

export interface CampaignOptions {
  readonly phases: readonly Phase[];
  readonly moments: number;
  readonly say: (line: string) => void;
}

export interface Cast {
  readonly phases: readonly Phase[];
  readonly make: (lab: Lab) => Scenario;
}

interface Job {
  readonly row: { -readonly [Key in keyof Row]: Row[Key] };
  readonly draw: Generator<Moment, never>;
}

/** Plays one scenario after the other; the moments of one, side by side. */
export async function runCampaign(lab: Lab, casts: readonly Cast[], options: CampaignOptions): Promise<Campaign> {
  const shares = shareMoments(options.phases, options.moments);
  const rows: Row[] = [];
  const losses: string[] = [];
  let restored = 0;
  for (const cast of casts) {
    const scenario = cast.make(lab);
    const jobs = planJobs(cast, await scenario.prepare(), shares, lab.seed);
    const own = [...new Set(jobs.map(({ row }) => row))];
    let attempts = 0;
    const play = async (): Promise<void> => {
      for (let job = jobs.shift(); job; job = jobs.shift()) {
        attempts += 1;
        const depth = { data: attempts % dataEvery === 0, restore: attempts % restoreEvery === 0 };
        const [moment, { findings, ...attempt }] = await playUntilKilled(scenario, job.draw, depth);
        job.row.moments += 1;
        job.row.losses += findings.losses.length;
        job.row.repairs += findings.repairs;
        losses.push(...findings.losses.map((loss) => `${momentText(moment)}: ${loss}`));
        if (attempt.restored) restored += 1;
      }
    };
    const lanes = await Promise.allSettled(Array.from({ length: scenario.parallel }, play));
    // Only when nothing runs any more.
    for (const lane of lanes) if (lane.status === 'rejected') throw lane.reason;
    rows.push(...own);
    for (const row of own) {
      options.say(`${row.phase}: ${String(row.moments)} moments, ${String(row.losses)} losses`);
    }
  }
  return { rows, losses, restored };
}

function planJobs(cast: Cast, counts: Counts, shares: ReadonlyMap<Phase, number>, seed: string): Job[] {
  return cast.phases.flatMap((phase) => {
    const count = counts[phase] ?? { calls: 0, writes: 0 };
    const row = { phase, calls: count.calls, moments: 0, losses: 0, repairs: 0 };
    const draw = drawMoments(phase, count, seed);
    return Array.from({ length: shares.get(phase) ?? 0 }, () => ({ row, draw }));
  });
}

/** The number of calls differs a little from run to run; a moment that a run never reached is drawn again. */
async function playUntilKilled(
  scenario: Scenario,
  draw: Generator<Moment, never>,
  depth: Depth,
): Promise<readonly [Moment, Attempt]> {
  for (let misses = 0; misses < mostMisses; misses += 1) {
    const moment = draw.next().value;
    const attempt = await scenario.attempt(moment, depth);
    if (attempt.killed) return [moment, attempt];
  }
  throw new Error(`no moment of the scenario ${scenario.name} was reached`);
}
