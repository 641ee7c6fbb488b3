/**
 * # Kinds: what a task of each kind does
 *
 * Words: an *assignment* is everything one task needs to know, as plain JSON: it goes to the task process over IPC (secrets
 * included, and nowhere else), or straight to the kind with `--direct`. A *runner* is a thin adapter from an assignment to the
 * engine's facade; it holds no logic of the engine's and none of the queue's.
 *
 * Invariants: a runner answers with a result for every repository of its assignment, also when it is cancelled or fails; it
 * throws only for a bug. It never reads the configuration, the environment or the state directory.
 */
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import type { Random } from '../../core/random.ts';
import type { RepositoryAssignment, SourceAssignment } from './assignment.ts';
import type { TaskKind, TaskOptions, TaskProblem, TaskProgress, TaskResult } from '../task.ts';

export interface TaskAssignment {
  readonly task: string;
  readonly kind: TaskKind;
  readonly attempt: number;
  /** Name of the backup, for kinds whose subject is one. */
  readonly backup?: string;
  readonly source?: SourceAssignment;
  readonly repositories: readonly RepositoryAssignment[];
  /** Name of this machine in snapshots. */
  readonly device: string;
  /** Caches that make the next run faster; nothing in it is needed to restore. */
  readonly cacheDirectory: string;
  /** Compute threads; absent: as many as suit the machine. */
  readonly threads?: number;
  readonly options: TaskOptions;
}

/** What a runner may use of the world around it. */
export interface TaskContext {
  /** Finish or abandon the pack in flight, commit nothing half, and answer `cancelled`. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  /** Carries the ids of task, kind and backup already. */
  readonly log: Logger;
  progress(progress: TaskProgress): void;
  warning(problem: TaskProblem): void;
}

export interface TaskKindRunner {
  run(assignment: TaskAssignment, context: TaskContext): Promise<TaskResult>;
}

export type TaskKinds = Readonly<Record<TaskKind, TaskKindRunner>>;
