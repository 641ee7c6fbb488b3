/** Draws moments for every phase, plays them, and adds up what was found. */
import type { Lab, Scenario } from './lab.ts';
import { drawMoments, momentText, shareMoments, type Moment, type Phase } from './moments.ts';

const leastOfEach = 20;
/** Every so manieth attempt reads all data, or restores and compares too. */
const dataEvery = 5;
const restoreEvery = 20;

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

export async function runCampaign(lab: Lab, casts: readonly Cast[], options: CampaignOptions): Promise<Campaign> {
  const shares = shareMoments(options.phases, options.moments, leastOfEach);
  const rows: Row[] = [];
  const losses: string[] = [];
  let attempts = 0;
  let restored = 0;
  for (const cast of casts) {
    const scenario = cast.make(lab);
    try {
      const counts = await scenario.prepare();
      const jobs: Job[] = [];
      for (const phase of cast.phases) {
        const share = shares.get(phase);
        if (share === undefined) continue;
        const calls = counts[phase] ?? 0;
        const row = { phase, calls, moments: 0, losses: 0, repairs: 0 };
        rows.push(row);
        const draw = drawMoments(phase, calls, lab.seed);
        for (let number = 0; number < share; number += 1) jobs.push({ row, draw });
      }
      const play = async (): Promise<void> => {
        for (let job = jobs.shift(); job; job = jobs.shift()) {
          attempts += 1;
          const depth = { data: attempts % dataEvery === 0, restore: attempts % restoreEvery === 0 };
          if (depth.restore) restored += 1;
          const found = await playUntilKilled(scenario, job.draw, depth);
          job.row.moments += 1;
          job.row.losses += found.losses.length;
          job.row.repairs += found.repairs;
          losses.push(...found.losses);
        }
      };
      await Promise.all(Array.from({ length: scenario.parallel }, play));
      for (const row of rows.slice(-cast.phases.length)) {
        options.say(`${row.phase}: ${String(row.moments)} moments, ${String(row.losses)} losses`);
      }
    } finally {
      await scenario.close?.();
    }
  }
  return { rows, losses, restored };
}

/** The number of calls differs a little from run to run; a moment that a run never reached is drawn again. */
async function playUntilKilled(
  scenario: Scenario,
  draw: Generator<Moment, never>,
  depth: Parameters<Scenario['attempt']>[1],
): Promise<{ readonly losses: readonly string[]; readonly repairs: number }> {
  for (let misses = 0; misses < 10; misses += 1) {
    const moment = draw.next().value;
    const { killed, findings } = await scenario.attempt(moment, depth);
    if (!killed) continue;
    const losses = findings.losses.map((loss) => `${momentText(moment)}: ${loss}`);
    return { losses, repairs: findings.repairs };
  }
  throw new Error(`no moment of the scenario ${scenario.name} was reached`);
}
