/** The program behind `npm run crash`: draws the moments, kills, looks, and prints what it found. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../src/core/clock.ts';
import { createOsLocks } from '../../src/core/os-lock-helper.ts';
import { toHex } from '../../src/core/bytes.ts';
import { systemRandom } from '../../src/core/random.ts';
import { AmendScenario } from './amend-scenario.ts';
import { BackupScenario } from './backup-scenario.ts';
import { runCampaign, type Campaign } from './campaign.ts';
import { DaemonScenario } from './daemon-scenario.ts';
import { Lab, type Scenario } from './lab.ts';
import { phases, type Phase } from './moments.ts';
import { QueueScenario } from './queue-scenario.ts';
import { RestoreScenario } from './restore-scenario.ts';

/** Who plays which phase. */
const scenarios: readonly { readonly phases: readonly Phase[]; readonly make: (lab: Lab) => Scenario }[] = [
  { phases: ['pack', 'index', 'barrier', 'entry'], make: (lab) => new BackupScenario(lab) },
  { phases: ['amend'], make: (lab) => new AmendScenario(lab) },
  { phases: ['restore'], make: (lab) => new RestoreScenario(lab) },
  { phases: ['queue commit'], make: (lab) => new QueueScenario(lab) },
  { phases: ['task process', 'daemon'], make: (lab) => new DaemonScenario(lab) },
];

/** @param tree folder of the compiled sources. Answers the exit code: 1 when anything was lost. */
export async function main(args: readonly string[], tree: string): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      moments: { type: 'string', default: '200' },
      seed: { type: 'string', default: toHex(systemRandom.bytes(4)) },
      phase: { type: 'string', multiple: true, default: [...phases] },
      json: { type: 'boolean', default: false },
    },
  });
  const chosen = phases.filter((phase) => values.phase.includes(phase));
  const say = (line: string): void => {
    if (!values.json) console.log(line);
  };
  say(`seed ${values.seed}`);
  const locks = createOsLocks();
  const started = systemClock.monotonic();
  try {
    const lab = new Lab(join(tree, 'work'), locks, values.seed);
    const campaign = await runCampaign(
      lab,
      scenarios.filter((each) => each.phases.some((phase) => chosen.includes(phase))),
      { phases: chosen, moments: Number(values.moments), say },
    );
    const seconds = Math.round((systemClock.monotonic() - started) / 1000);
    if (values.json) console.log(JSON.stringify({ seed: values.seed, seconds, ...campaign }));
    else print(campaign, values.seed, seconds);
    return campaign.losses.length === 0 ? 0 : 1;
  } finally {
    await locks.close();
  }
}

function print({ rows, losses, restored }: Campaign, seed: string, seconds: number): void {
  const line = (cells: readonly (string | number)[]): string =>
    cells.map((cell, at) => (at === 0 ? String(cell).padEnd(14) : String(cell).padStart(9))).join('');
  console.log(line(['phase', 'calls', 'moments', 'losses', 'repairs']));
  for (const row of rows) console.log(line([row.phase, row.calls, row.moments, row.losses, row.repairs]));
  const sum = (of: 'moments' | 'losses' | 'repairs'): number => rows.reduce((all, row) => all + row[of], 0);
  console.log(line(['together', '', sum('moments'), sum('losses'), sum('repairs')]));
  for (const loss of losses) console.log(`LOST: ${loss}`);
  console.log(`seed ${seed}, ${String(restored)} restored and compared, ${String(seconds)} s`);
}
