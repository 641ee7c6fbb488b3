/** The one table. */
import type { Figure } from './bench.ts';

const headings = ['what', 'ours', 'peer', 'ratio', 'goal', ''] as const;

export function tableOf(figures: readonly Figure[]): readonly string[] {
  const rows = figures.map(({ what, ours, peer, ratio, goal }) => [
    what,
    ours,
    peer ?? '–',
    ratio ?? '–',
    goal?.text ?? '–',
    goal === undefined ? '' : goal.met ? 'met' : 'NOT MET',
  ]);
  const all: readonly (readonly string[])[] = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
