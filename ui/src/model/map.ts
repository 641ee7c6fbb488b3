/**
 * The map of backups to repositories as plain values: two columns of nodes, centred against each other, and a curve for
 * each line. Vertical units are rem (a row is a node and the gap below it, the tokens `--node` and `--node-gap`),
 * horizontal ones are percent of the space between the columns.
 */
import type { BackupRepositoryView, BackupView, RepositoryView, StatusView } from '../../../src/daemon/api/contract.ts';
import { ago } from './format.ts';
import { progressOf, runningTasks } from './progress.ts';
import { lookOf, type Look, type Tone } from './words.ts';

const node = 4.5;
const gap = 1;
/** Lines that share a node arrive this far apart. */
const spread = 0.5;

export type Selection = { readonly side: 'backup' | 'repository'; readonly name: string } | undefined;

export interface MapNode {
  readonly side: 'backup' | 'repository';
  readonly name: string;
  readonly kind: BackupView['source']['type'] | RepositoryView['kind'];
  readonly look: Look;
  /** What follows the state word. */
  readonly note: string | undefined;
  /** Only while running: 0 to 1, or `null` when the total is unknown. */
  readonly fraction: number | null | undefined;
}

export interface MapLine {
  readonly backup: string;
  readonly repository: string;
  readonly tone: Tone;
  readonly flowing: boolean;
  readonly path: string;
  /** In words, for those who do not see the curve. */
  readonly label: string;
}

export interface BackupMap {
  readonly backups: readonly MapNode[];
  readonly repositories: readonly MapNode[];
  readonly lines: readonly MapLine[];
  /** Height of the whole map in rem. */
  readonly height: number;
}

interface Edge {
  readonly backup: BackupView;
  readonly from: number;
  readonly to: number;
  readonly target: BackupRepositoryView;
}

function edgesOf(status: StatusView): Edge[] {
  const position = new Map(status.repositories.map((repository, index) => [repository.name, index]));
  return status.backups.flatMap((backup, from) =>
    backup.repositories.flatMap((target) => {
      const to = position.get(target.repository);
      return to === undefined ? [] : [{ backup, from, to, target }];
    }),
  );
}

function centre(index: number, count: number, rows: number): number {
  return ((rows - count) / 2 + index) * (node + gap) + node / 2;
}

/** Where among the lines of one node this one ends; sorted by the far end, so that lines of a node never cross. */
function port(edge: Edge, edges: readonly Edge[], near: 'from' | 'to', far: 'from' | 'to'): number {
  const siblings = edges.filter((other) => other[near] === edge[near]).sort((a, b) => a[far] - b[far]);
  return (siblings.indexOf(edge) - (siblings.length - 1) / 2) * spread;
}

const round = (value: number) => String(Math.round(value * 1000) / 1000);

function curve(start: number, end: number): string {
  return `M0 ${round(start)}C50 ${round(start)} 50 ${round(end)} 100 ${round(end)}`;
}

function lineLabel(edge: Edge, nowMs: number): string {
  const { word } = lookOf(edge.target.state);
  const committed =
    edge.target.committedMs === undefined ? 'no commit known' : `committed ${ago(edge.target.committedMs, nowMs)}`;
  return `${edge.backup.name} to ${edge.target.repository}: ${word}, ${committed}`;
}

/** An ended state is as old as the last result; of any other state the last result is only the background. */
function lastRan({ state, last }: BackupView, nowMs: number): string | undefined {
  if (last === undefined) return undefined;
  return state === last.state ? ago(last.endedMs, nowMs) : `last ran ${ago(last.endedMs, nowMs)}`;
}

function backupNode(backup: BackupView, status: StatusView, nowMs: number): MapNode {
  const task = runningTasks(status).find(({ subject }) => subject.type === 'backup' && subject.backup === backup.name);
  const progress = task && progressOf(task, nowMs);
  return {
    side: 'backup',
    name: backup.name,
    kind: backup.source.type,
    look: lookOf(backup.state),
    note: progress ? progress.short : lastRan(backup, nowMs),
    fraction: progress ? (progress.fraction ?? null) : undefined,
  };
}

function repositoryNode(repository: RepositoryView, nowMs: number): MapNode {
  return {
    side: 'repository',
    name: repository.name,
    kind: repository.kind,
    look: lookOf(repository.state),
    note: repository.committedMs === undefined ? undefined : `committed ${ago(repository.committedMs, nowMs)}`,
    fraction: undefined,
  };
}

export function mapOf(status: StatusView, nowMs: number): BackupMap {
  const rows = Math.max(status.backups.length, status.repositories.length, 1);
  const edges = edgesOf(status);
  const flowing = new Set(
    runningTasks(status).flatMap((task) =>
      task.kind === 'backup' && task.subject.type === 'backup'
        ? task.repositories.map((name) => JSON.stringify([task.subject, name]))
        : [],
    ),
  );
  return {
    backups: status.backups.map((backup) => backupNode(backup, status, nowMs)),
    repositories: status.repositories.map((repository) => repositoryNode(repository, nowMs)),
    height: rows * (node + gap) - gap,
    lines: edges.map((edge) => ({
      backup: edge.backup.name,
      repository: edge.target.repository,
      tone: lookOf(edge.target.state).tone,
      flowing: flowing.has(JSON.stringify([{ type: 'backup', backup: edge.backup.name }, edge.target.repository])),
      path: curve(
        centre(edge.from, status.backups.length, rows) + port(edge, edges, 'from', 'to'),
        centre(edge.to, status.repositories.length, rows) + port(edge, edges, 'to', 'from'),
      ),
      label: lineLabel(edge, nowMs),
    })),
  };
}

/** Whether a line belongs to what is selected; everything does while nothing is. */
export function touches(line: MapLine, selection: Selection): boolean {
  return selection === undefined || line[selection.side] === selection.name;
}
