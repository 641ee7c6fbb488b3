/** What is known of each backup and repository from the tasks that ended: filled from the history, then kept by events. */
import type { EndedTask } from '../tasks/task.ts';
import type { LastResult } from './api/contract.ts';
import type { QueueStore } from '../tasks/queue/store.ts';
import type { Config } from './config/config.ts';
import { lastResult } from './views.ts';

export interface PairResult {
  readonly last?: LastResult;
  /** When a snapshot of the backup was last committed in the repository. */
  readonly committedMs?: number;
}

export interface RepositoryRecord {
  readonly last?: LastResult;
  readonly seenMs?: number;
  readonly committedMs?: number;
}

export class Results {
  readonly #backups = new Map<string, LastResult>();
  readonly #pairs = new Map<string, PairResult>();
  readonly #repositories = new Map<string, RepositoryRecord>();

  /** Tasks may come in any order; the one that ended last counts. */
  add(task: EndedTask): void {
    const { subject, kind } = task.request;
    if (kind === 'backup' && subject.type === 'backup') {
      const last = lastResult(task);
      if (last) this.#backups.set(subject.backup, newer(this.#backups.get(subject.backup), last));
    }
    for (const part of task.result.repositories) this.#addPart(task, part.repository);
  }

  backup(name: string): LastResult | undefined {
    return this.#backups.get(name);
  }

  pair(backup: string, repository: string): PairResult {
    return this.#pairs.get(key(backup, repository)) ?? {};
  }

  repository(name: string): RepositoryRecord {
    return this.#repositories.get(name) ?? {};
  }

  #addPart(task: EndedTask, repository: string): void {
    const last = lastResult(task, repository);
    if (last === undefined) return;
    const { subject, kind } = task.request;
    const isBackup = kind === 'backup' && subject.type === 'backup';
    const committed = isBackup && last.snapshots > 0 ? { committedMs: task.endedMs } : {};
    const well = last.state === 'done' || last.state === 'warning';
    const seen = well ? { seenMs: task.endedMs } : {};
    this.#repositories.set(repository, merged(this.#repositories.get(repository), { last, ...seen, ...committed }));
    if (!isBackup) return;
    const pair = key(subject.backup, repository);
    this.#pairs.set(pair, merged(this.#pairs.get(pair), { last, ...committed }));
  }
}

function key(backup: string, repository: string): string {
  return `${backup}\n${repository}`;
}

function newer(known: LastResult | undefined, found: LastResult): LastResult {
  return known === undefined || found.endedMs >= known.endedMs ? found : known;
}

function merged(known: RepositoryRecord | undefined, found: RepositoryRecord): RepositoryRecord {
  const last = found.last === undefined ? known?.last : newer(known?.last, found.last);
  const seenMs = latest(known?.seenMs, found.seenMs);
  const committedMs = latest(known?.committedMs, found.committedMs);
  return {
    ...(last === undefined ? {} : { last }),
    ...(seenMs === undefined ? {} : { seenMs }),
    ...(committedMs === undefined ? {} : { committedMs }),
  };
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.max(a, b);
}

/** How far the history is looked through for the last commit of a pair. */
const historyDepth = 100;

export async function loadResults(store: Pick<QueueStore, 'history'>, config: Config): Promise<Results> {
  const results = new Results();
  for (const backup of Object.keys(config.backups)) {
    for (const task of await store.history({ backup, limit: historyDepth })) results.add(task);
  }
  for (const repository of Object.keys(config.repositories)) {
    for (const task of await store.history({ repository, limit: historyDepth })) results.add(task);
  }
  return results;
}
