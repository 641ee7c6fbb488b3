/**
 * # API: what the daemon answers over HTTP
 *
 * Words: the *service* is what the routes need of the daemon, provided by the wiring; a *caller* is who sent a request and what
 * it may do; a *problem* is an answer that is not 2xx. The contract with clients is `contract.ts`.
 *
 * Invariants: every route declares the scope it needs, or the start fails; a request is refused before its body is read when its
 * Host, Origin or token is wrong; bodies and queries are checked by schema and unknown keys are refused; no handler reads backup
 * data, blocks the event loop or waits for storage without a bound; no answer carries a secret or a stack.
 */
import type {
  ConfigurationView,
  MoveRequest,
  PauseTarget,
  PauseView,
  Priority,
  QueueView,
  RunAnswer,
  RunRequest,
  Scope,
  SnapshotDetails,
  SnapshotPage,
  SnapshotQuery,
  StatusView,
  TaskLog,
  TaskPage,
  TaskQuery,
  TaskView,
} from './contract.ts';

export interface Caller {
  /** For triggers and the log: `socket`, or the name of a token. */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Connected by the unix socket, which only the daemon's own user can open. */
  readonly local: boolean;
  /** What a task that this caller asks for is triggered by. */
  readonly trigger: 'api' | 'ui' | 'cli';
}

export interface ApiService {
  status(): Promise<StatusView>;
  queue(): Promise<QueueView>;
  tasks(query: TaskQuery): Promise<TaskPage>;
  /** @throws NotFoundError. Likewise all that take an id or a name. */
  task(id: string): Promise<TaskView>;
  log(id: string): Promise<TaskLog>;
  /** @throws UsageError when the request does not fit the configuration. */
  run(request: RunRequest, caller: Caller): Promise<RunAnswer>;
  cancel(id: string, caller: Caller): Promise<TaskView>;
  /** @throws UsageError when there is nothing to repeat. */
  retry(id: string, caller: Caller): Promise<RunAnswer>;
  move(id: string, request: MoveRequest): Promise<TaskView>;
  pause(what: PauseTarget, caller: Caller): Promise<PauseView>;
  /** @throws NotFoundError when it was not paused. */
  resume(what: PauseTarget): Promise<QueueView>;
  setPriority(id: string, priority: Priority): Promise<TaskView>;
  snapshots(repository: string, query: SnapshotQuery): Promise<SnapshotPage>;
  snapshot(repository: string, id: string): Promise<SnapshotDetails>;
  /** @throws UsageError `config.invalid` when the file has errors; nothing changed then. */
  reload(): Promise<ConfigurationView>;
}
