/** What happened, in two short tables. */
import { formatDuration, formatSize } from '../../src/core/units.ts';
import { table, type StepRow, type Steps } from './steps.ts';

export interface Figures {
  readonly snapshots: number;
  /** Sizes of all images and archives together: what PBS shows. */
  readonly shownBytes: number;
  /** What the datastore takes on disk. */
  readonly datastoreBytes: number;
  readonly directoryBytes: number;
  readonly bucketBytes: number;
  readonly compared: string;
}

export function printSummary(steps: Steps, figures: Figures): void {
  steps.heading('What happened');
  const rows = steps.rows.map(({ step, brief, size, tookMs }) => [step, brief, size ?? '', formatDuration(tookMs)]);
  const totalMs = steps.rows.reduce((sum, row: StepRow) => sum + row.tookMs, 0);
  const lines = table([['STEP', 'WHAT', 'SIZE', 'TIME'], ...rows, ['', '', '', formatDuration(totalMs)]], [2, 3]);
  for (const line of lines) steps.line(`  ${line}`);

  steps.heading('What is where');
  const { snapshots, shownBytes, datastoreBytes, directoryBytes, bucketBytes } = figures;
  const place = (name: string, bytes: number): string[] => [
    name,
    String(snapshots),
    formatSize(shownBytes),
    formatSize(bytes),
    `${(shownBytes / bytes).toFixed(1)} : 1`,
  ];
  const places = [
    ['PLACE', 'SNAPSHOTS', 'AS PBS SHOWS', 'STORED', 'RATIO'],
    place('datastore', datastoreBytes),
    place('repository directory', directoryBytes),
    place('repository sia (simulated)', bucketBytes),
  ];
  for (const line of table(places, [1, 2, 3, 4])) steps.line(`  ${line}`);
  steps.line(
    '\n  Sia stores slabs of 40 MiB, so packs are filled up to whole slabs: that is why its repository is the larger one.',
  );
  steps.line(`  Restored and original datastore are equal: ${figures.compared}.`);
}
