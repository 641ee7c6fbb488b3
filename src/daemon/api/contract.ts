/**
 * # The HTTP API `/api/v1`: what its clients may rely on
 *
 * Types only, shared with the command line and the web UI by `import type`. Words are those of `docs/architecture.md`.
 *
 * Invariants: bodies are JSON; times are milliseconds since the epoch (`...Ms`), sizes are bytes (`...Bytes`); an absent
 * field means *not known* or *not yet*, never zero; a new field may appear at any time, a member of a union only with a new
 * version of the API. Every answer that is not 2xx is a `Problem` (`application/problem+json`, RFC 9457).
 *
 * | method and path | body or query | answer | scope |
 * | --- | --- | --- | --- |
 * | GET `/status` | | `StatusView` | read |
 * | GET `/queue` | | `QueueView` | read |
 * | GET `/tasks` | `TaskQuery` | `TaskPage`, newest first | read |
 * | POST `/tasks` | `RunRequest` | 202 `RunAnswer` | run (restore: restore) |
 * | GET `/tasks/:id` | | `TaskView` | read |
 * | GET `/tasks/:id/log` | | `TaskLog` | read |
 * | POST `/tasks/:id/cancel` | `{}` | 202 `TaskView` | run |
 * | POST `/tasks/:id/retry` | `{}` | 202 `RunAnswer` | run |
 * | POST `/tasks/:id/priority` | `PriorityRequest` | `TaskView` | run |
 * | POST `/tasks/:id/move` | `MoveRequest` | `TaskView` | run |
 * | POST `/queue/pause` | `PauseRequest` | `PauseView` | run |
 * | POST `/queue/resume` | `PauseRequest` | `QueueView` | run |
 * | GET `/repositories/:name/snapshots` | `SnapshotQuery` | `SnapshotPage`, newest first | read |
 * | GET `/repositories/:name/snapshots/:id` | | `SnapshotDetails` | read |
 * | POST `/config/reload` | `{}` | `ConfigurationView` | config |
 * | GET `/events` | header `Last-Event-ID` | `text/event-stream` of `LiveEvent` | read |
 */
import type {
  EndState,
  Priority,
  Subject,
  TaskKind,
  TaskProblem,
  TaskProgress,
  TaskResult,
  TaskState,
  Trigger,
  WaitingReason,
} from '../../tasks/task.ts';

export type {
  EndState,
  Priority,
  RepositoryResult,
  Subject,
  TaskKind,
  TaskProblem,
  TaskProgress,
  TaskResult,
  TaskState,
  Trigger,
  TriggerKind,
  WaitingReason,
} from '../../tasks/task.ts';

/** What a token may do. `config` covers everything that changes what the daemon does without being asked. */
export type Scope = 'read' | 'run' | 'restore' | 'config';

/** An error. `code` is stable and stands in `docs/errors.md`; `message` and `hint` are for people. */
export interface Problem {
  readonly type: 'about:blank';
  /** The HTTP status, again. */
  readonly status: number;
  readonly title: string;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly context?: Readonly<Record<string, unknown>>;
}

// --- Status -----------------------------------------------------------------------------------------------------------

/** The state of a backup or a repository: that of the task it runs or ran last, or a word of its own. */
export type SubjectState = TaskState | 'overdue' | 'paused' | 'seeding' | 'never';

export interface StatusView {
  readonly daemon: DaemonView;
  readonly backups: readonly BackupView[];
  readonly repositories: readonly RepositoryView[];
  /** Tasks that run now, with their latest progress. */
  readonly running: readonly TaskView[];
  readonly waiting: number;
}

export interface DaemonView {
  readonly version: string;
  /** Name of this machine in snapshots. */
  readonly device: string;
  /** IANA name: schedules are read in it. */
  readonly timeZone: string;
  readonly startedMs: number;
  /** The daemon's clock at the time of the answer. */
  readonly nowMs: number;
  readonly stopping: boolean;
  /** Tasks that may run at once. */
  readonly concurrency: number;
  readonly configuration: ConfigurationView;
}

export interface ConfigurationView {
  /** The file it was read from. */
  readonly file: string;
  readonly loadedMs: number;
  /** Why the latest reload was refused; the configuration before it is still in force. */
  readonly problem?: TaskProblem;
}

export interface BackupView {
  readonly name: string;
  readonly source: SourceView;
  readonly state: SubjectState;
  readonly priority: Priority;
  /** As written in the configuration. */
  readonly schedules: readonly string[];
  readonly watched: boolean;
  /** The earliest time a schedule fires next. Absent without schedules. */
  readonly nextFireMs?: number;
  /** The task that waits or runs for it now. */
  readonly task?: string;
  readonly last?: LastResult;
  /** One for each repository of the backup, in the order of the configuration. */
  readonly repositories: readonly BackupRepositoryView[];
}

export interface SourceView {
  readonly type: 'pbs' | 'files' | 'command';
  /** For people: the datastore's path, the paths, the program. */
  readonly label: string;
}

/** One line of the map from backups to repositories. */
export interface BackupRepositoryView {
  readonly repository: string;
  readonly state: SubjectState;
  readonly last?: LastResult;
  /** When a snapshot of this backup was last committed there. */
  readonly committedMs?: number;
}

export interface RepositoryView {
  readonly name: string;
  readonly kind: 'filesystem' | 's3' | 'sia';
  /** Without credentials: `file:///mnt/nas/nestegg`, `s3://host/bucket/prefix/`. */
  readonly location: string;
  readonly readOnly: boolean;
  readonly state: SubjectState;
  /** The latest task of any kind against it. */
  readonly last?: LastResult;
  /** The latest task that reached the store and came back well: *seen* alive. */
  readonly seenMs?: number;
  /** Time of the newest commit that this daemon made. */
  readonly committedMs?: number;
  /** Everything committed up to then has demonstrably left the disk of the gateway. */
  readonly offsiteMs?: number;
}

/** A history row in short. */
export interface LastResult {
  readonly task: string;
  readonly kind: TaskKind;
  readonly state: EndState;
  readonly endedMs: number;
  readonly durationMs: number;
  /** Bytes that were new to the repository (of a backup: to all of its repositories together). */
  readonly storedBytes: number;
  readonly snapshots: number;
  readonly warnings: number;
  readonly problem?: TaskProblem;
}

// --- Tasks ------------------------------------------------------------------------------------------------------------

interface TaskViewBase {
  readonly id: string;
  readonly kind: TaskKind;
  readonly subject: Subject;
  readonly repositories: readonly string[];
  readonly priority: Priority;
  readonly trigger: Trigger;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /** Equal requests merged into it while it waited. */
  readonly merged: number;
  readonly createdMs: number;
}

export type WaitingTaskView = TaskViewBase & {
  readonly state: 'queued';
  readonly notBeforeMs?: number;
  /** Why it has not started yet; present in `QueueView` and in the answer for one task. */
  readonly waiting?: WaitingReason;
};

export type RunningTaskView = TaskViewBase & {
  readonly state: 'running' | 'aborting';
  readonly startedMs: number;
  readonly progress?: TaskProgress;
};

export type EndedTaskView = TaskViewBase & {
  readonly state: EndState;
  readonly startedMs?: number;
  readonly endedMs: number;
  readonly result: TaskResult;
};

export type TaskView = WaitingTaskView | RunningTaskView | EndedTaskView;

export interface QueueView {
  readonly running: readonly RunningTaskView[];
  /** In the order in which they start if nothing else holds them back. */
  readonly waiting: readonly WaitingTaskView[];
  readonly slots: { readonly used: number; readonly total: number };
  readonly pauses: readonly PauseView[];
}

/** While it lasts nothing starts: of the whole queue, of a backup, or against a repository. What runs goes on. */
export interface PauseView {
  readonly what: PauseTarget;
  readonly by: string;
  readonly sinceMs: number;
}

export type PauseTarget = 'queue' | `backup ${string}` | `repository ${string}`;

export interface PauseRequest {
  readonly what: PauseTarget;
}

/** Where a waiting task goes: before or after all of its priority, or next to another one, whose priority it takes. */
export interface MoveRequest {
  readonly place: 'first' | 'last' | { readonly before: string } | { readonly after: string };
}

export interface TaskQuery {
  /** `next` of the page before. */
  readonly cursor?: string;
  /** 1 to 500, default 50. */
  readonly limit?: number;
  readonly kind?: TaskKind;
  readonly state?: TaskState;
  readonly backup?: string;
  readonly repository?: string;
}

export interface TaskPage {
  readonly tasks: readonly TaskView[];
  /** Absent on the last page. */
  readonly next?: string;
}

export interface TaskLog {
  readonly lines: readonly TaskLogLine[];
  /** Older lines that were dropped, because the log of a task is bounded. */
  readonly dropped: number;
}

export interface TaskLogLine {
  readonly timeMs: number;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  /** A stable, dotted name: `storage.retry`. */
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What may be asked for. Names are those of the configuration. */
export type RunRequest =
  | {
      readonly kind: 'backup';
      readonly backup: string;
      /** Only these repositories of the backup. */
      readonly to?: readonly string[];
      /** Only these groups, in PBS's group-filter syntax. */
      readonly groups?: readonly string[];
      readonly priority?: Priority;
      /** Ignores parents and caches. */
      readonly full?: boolean;
      /** Commits a PBS snapshot with bad chunks too, marked damaged, with its holes listed. */
      readonly allowDamaged?: boolean;
      readonly dryRun?: boolean;
    }
  | {
      readonly kind: 'check';
      readonly repository: string;
      readonly mode: 'structure' | 'data';
      /** Of the data, for `mode: data`: above 0, at most 1; default 1. */
      readonly share?: number;
      readonly priority?: Priority;
    }
  | { readonly kind: 'rebuild-index' | 'probe'; readonly repository: string; readonly priority?: Priority }
  | {
      readonly kind: 'restore';
      readonly repository: string;
      /** Snapshot ids or unique prefixes, `[ns/]type/id[@time|@latest]`, or `all`. */
      readonly snapshots: readonly string[];
      readonly target: RestoreTarget;
      readonly priority?: Priority;
    };

/** Where snapshots go. Over TCP the directory must lie within `restore` in the state directory. */
export interface RestoreTarget {
  readonly type: 'datastore';
  readonly directory: string;
  /** Namespace below which they are put; default: where they came from. */
  readonly namespace?: string;
}

export interface RunAnswer {
  readonly task: TaskView;
  /** An equal task was waiting already; this is that one. */
  readonly merged: boolean;
}

export interface PriorityRequest {
  readonly priority: Priority;
}

// --- Snapshots --------------------------------------------------------------------------------------------------------

export interface SnapshotQuery {
  readonly cursor?: string;
  /** 1 to 1,000, default 100. */
  readonly limit?: number;
  readonly backup?: string;
  readonly group?: string;
}

export interface SnapshotPage {
  readonly snapshots: readonly SnapshotView[];
  readonly total: number;
  readonly next?: string;
}

export interface SnapshotView {
  readonly id: string;
  readonly repository: string;
  readonly backup: string;
  /** PBS: `<namespace>|<type>/<id>`; the namespace is empty for the root. */
  readonly group: string;
  /** PBS: the backup time in seconds. */
  readonly item: string;
  readonly timeMs: number;
  readonly sizeBytes: number;
  /** Committed although parts were unreadable. */
  readonly damaged: boolean;
  readonly committedMs: number;
  /** Absent until it has demonstrably left the disk of the gateway. */
  readonly offsiteMs?: number;
}

export interface SnapshotDetails extends SnapshotView {
  readonly device: string;
  readonly run: string;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly files: readonly SnapshotFileView[];
  /** PBS: what its manifest says beside the files. */
  readonly pbs?: {
    readonly datastore: string;
    readonly namespace: string;
    readonly owner?: string;
    readonly protected: boolean;
  };
}

export interface SnapshotFileView {
  readonly name: string;
  readonly kind: 'blob' | 'fixed' | 'dynamic';
  readonly sizeBytes: number;
  /** Chunks that could not be read when it was backed up. */
  readonly holes: number;
}

// --- Live events ------------------------------------------------------------------------------------------------------

/**
 * One server-sent event; its `event` field is `type`, its data the JSON of this value. All but `hello`, `reset` and
 * `progress` carry an `id`; after a break the client sends the latest one as `Last-Event-ID` and gets what it missed. When
 * that is no longer known (the daemon restarted, the buffer ran over), it gets `reset` first and loads everything anew.
 */
export type LiveEvent =
  | { readonly type: 'hello'; readonly nowMs: number; readonly version: string }
  | { readonly type: 'reset' }
  /** A task came, started, changed or ended. Always the whole of it. */
  | { readonly type: 'task'; readonly task: TaskView }
  /** At most four a second for one task. */
  | { readonly type: 'progress'; readonly id: string; readonly progress: TaskProgress }
  | { readonly type: 'warning'; readonly id: string; readonly problem: TaskProblem }
  /** Backups, repositories or their state changed otherwise: load `/status` anew. */
  | { readonly type: 'status' };
