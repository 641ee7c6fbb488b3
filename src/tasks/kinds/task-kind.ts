/**
 * # Kinds: what a task of each kind does
 *
 * Words: an *assignment* is everything one task needs to know, as plain JSON: it goes to the task process over IPC (secrets
 * included, and nowhere else), or straight to the kind with `--direct`. A *runner* is a thin adapter from an assignment to the
 * engine's facade; it holds no logic of the engine's and none of the queue's.
 *
 * Invariants: a runner answers with a result for every repository of its assignment, also when it is cancelled or fails; it
 * throws only for a bug. It never reads the configuration or the environment.
 */
import type { Clock } from '../../core/clock.ts';
import type { Logger } from '../../core/logger.ts';
import type { Random } from '../../core/random.ts';
import type { BackupAssignment, RepositoryAssignment } from './assignment.ts';
import type { TaskKind, TaskOptions, TaskProblem, TaskProgress, TaskResult } from '../task.ts';

interface AssignmentBase {
  readonly task: string;
  readonly attempt: number;
  /** Name of this machine in snapshots. */
  readonly device: string;
  /** What is remembered of repositories, and cached. Absent: nothing is kept on this machine, as on the day of the disaster. */
  readonly stateDirectory?: string;
  /** Options of the request, checked by the kind. */
  readonly options: TaskOptions;
}

export interface BackupTaskAssignment extends AssignmentBase {
  readonly kind: 'backup';
  readonly backup: BackupAssignment;
}

export interface RepositoryTaskAssignment extends AssignmentBase {
  readonly kind: Exclude<TaskKind, 'backup'>;
  readonly repository: RepositoryAssignment;
}

export type TaskAssignment = BackupTaskAssignment | RepositoryTaskAssignment;

/** What a runner may use of the world around it. */
export interface TaskContext {
  /** Finish or abandon the pack in flight, commit nothing half, and answer `cancelled`. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  progress(progress: TaskProgress): void;
  warning(problem: TaskProblem): void;
}

export interface TaskKindRunner<Assignment extends TaskAssignment> {
  run(assignment: Assignment, context: TaskContext): Promise<TaskResult>;
}

/** One runner for each kind: a kind without one does not compile. */
export type TaskKinds = Readonly<Record<Exclude<TaskKind, 'backup'>, TaskKindRunner<RepositoryTaskAssignment>>> & {
  readonly backup: TaskKindRunner<BackupTaskAssignment>;
};

export function runTask(kinds: TaskKinds, assignment: TaskAssignment, context: TaskContext): Promise<TaskResult> {
  if (assignment.kind === 'backup') return kinds.backup.run(assignment, context);
  return kinds[assignment.kind].run(assignment, context);
}

/** Names of all repositories the assignment is about, in the order of the configuration. */
export function repositoriesOf(assignment: TaskAssignment): readonly string[] {
  if (assignment.kind === 'backup') return assignment.backup.targets.map(({ name }) => name);
  return [assignment.repository.name];
}
