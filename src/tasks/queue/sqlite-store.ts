/**
 * The queue in SQLite tables (`sqlite-schema.ts`). Runs on the thread of the database; every method is one step of a
 * transaction that the caller began, so that many steps share one fsync (`daemon/state/group-commit.ts`).
 */
import { NotFoundError, UsageError } from '../../core/errors.ts';
import { taskId, type TaskId } from '../../core/ids.ts';
import type { EndedTask, Priority, RunningTask, Task, WaitingTask } from '../task.ts';
import { merged, mergeKey } from './merge.ts';
import { movedTo, type Placed } from './order.ts';
import { type SqlDatabase, type SqlRow, type SqlStatement, type SqlValue, StatementCache } from './sql.ts';
import {
  insertTask,
  insertValues,
  number,
  readEnded,
  readRunning,
  readTask,
  readWaiting,
  taskColumns,
  text,
} from './sqlite-rows.ts';
import type {
  Ended,
  Ending,
  Enqueued,
  ForgetQuery,
  HistoryQuery,
  Interrupted,
  LiveTasks,
  NewTask,
  Pause,
  PauseTarget,
  Place,
  QueueStore,
  Synchronous,
  Waiting,
} from './store.ts';

export class SqliteQueueStore implements Synchronous<QueueStore> {
  readonly #statements: StatementCache;

  /** Of a database that has the tables of `sqlite-schema.ts`. */
  constructor(database: SqlDatabase) {
    this.#statements = new StatementCache(database);
  }

  /** Releases the statements; the database stays open. */
  close(): void {
    this.#statements.close();
  }

  interrupted(boot: string): readonly Interrupted[] {
    const rows = this.#sql(
      `SELECT ${taskColumns} FROM tasks WHERE state IN ('running', 'aborting') AND boot <> ? ORDER BY started_ms, id`,
    ).all(boot);
    return rows.map((row) => ({ task: readRunning(row), interruptions: number(row, 'interruptions') }));
  }

  live(): LiveTasks {
    const waiting = this.#sql(`SELECT ${taskColumns} FROM tasks WHERE state = 'queued' ORDER BY position`).all();
    const running = this.#sql(
      `SELECT ${taskColumns} FROM tasks WHERE state IN ('running', 'aborting') ORDER BY started_ms, id`,
    ).all();
    const pauses = this.#sql('SELECT what, paused_by, since_ms FROM pauses ORDER BY since_ms, what').all();
    return { waiting: waiting.map(readWaiting), running: running.map(readRunning), pauses: pauses.map(readPause) };
  }

  enqueue(task: NewTask): Enqueued {
    if (task.fireKey !== undefined) {
      const before = this.#sql('SELECT task FROM fires WHERE key = ?').get(task.fireKey);
      if (before) return { outcome: 'duplicate', task: taskId(text(before, 'task')) };
    }
    const equal = this.#sql(`SELECT ${taskColumns} FROM tasks WHERE state = 'queued' AND merge_key = ?`).get(
      mergeKey(task.request),
    );
    const enqueued = equal ? this.#merge(readWaiting(equal), task) : this.#insert(task);
    if (task.fireKey !== undefined) {
      this.#sql('INSERT INTO fires (key, task, fired_ms) VALUES (?, ?, ?)').run(
        task.fireKey,
        enqueued.waiting.task.id,
        task.createdMs,
      );
    }
    return enqueued;
  }

  start(id: TaskId, startedMs: number, boot: string): RunningTask {
    this.#change(
      id,
      'queued',
      "UPDATE tasks SET state = 'running', started_ms = ?, boot = ? WHERE id = ? AND state = 'queued'",
      [startedMs, boot, id],
    );
    return readRunning(this.#row(id));
  }

  abort(id: TaskId): RunningTask {
    this.#change(
      id,
      'running',
      "UPDATE tasks SET state = 'aborting' WHERE id = ? AND state IN ('running', 'aborting')",
      [id],
    );
    return readRunning(this.#row(id));
  }

  end(id: TaskId, ending: Ending): Ended {
    this.#change(
      id,
      'queued or running',
      'UPDATE tasks SET state = ?, ended_ms = ?, result = ? WHERE id = ? AND ended_ms IS NULL',
      [ending.result.state, ending.endedMs, JSON.stringify(ending.result), id],
    );
    const task = readEnded(this.#row(id));
    return ending.repeat ? { task, repeat: this.enqueue(ending.repeat) } : { task };
  }

  move(id: TaskId, place: Place): readonly Waiting[] {
    const moves = movedTo(id, place, this.#placed());
    if (moves.length === 0) throw this.#notWaiting(id, place);
    for (const move of moves) {
      this.#sql('UPDATE tasks SET priority = ?, position = ? WHERE id = ?').run(
        JSON.stringify(move.priority),
        move.position,
        move.id,
      );
    }
    return moves.map((move) => readWaiting(this.#row(move.id)));
  }

  setPriority(id: TaskId, priority: Priority): Waiting {
    this.#change(id, 'queued', "UPDATE tasks SET priority = ?, position = ? WHERE id = ? AND state = 'queued'", [
      JSON.stringify(priority),
      this.#lastPosition(),
      id,
    ]);
    return readWaiting(this.#row(id));
  }

  get(id: TaskId): Task | undefined {
    const row = this.#find(id);
    return row && readTask(row);
  }

  history(query: HistoryQuery): readonly EndedTask[] {
    const conditions = ['ended_ms IS NOT NULL'];
    const values: SqlValue[] = [];
    const where = (condition: string, ...bound: readonly SqlValue[]): void => {
      conditions.push(condition);
      values.push(...bound);
    };
    if (query.before !== undefined) {
      const last = readEnded(this.#row(query.before));
      where('(ended_ms, id) < (?, ?)', last.endedMs, last.id);
    }
    if (query.backup !== undefined) where('subject = ?', `backup ${query.backup}`);
    if (query.kind !== undefined) where('kind = ?', query.kind);
    if (query.repository !== undefined) {
      where("EXISTS (SELECT 1 FROM json_each(request, '$.repositories') WHERE value = ?)", query.repository);
    }
    if (query.states !== undefined) where(`state IN (${query.states.map(() => '?').join(', ')})`, ...query.states);
    const sql = `SELECT ${taskColumns} FROM tasks WHERE ${conditions.join(' AND ')} ORDER BY ended_ms DESC, id DESC LIMIT ?`;
    return this.#sql(sql)
      .all(...values, query.limit)
      .map(readEnded);
  }

  forget({ endedBeforeMs, firedBeforeMs, limit }: ForgetQuery): number {
    this.#sql(
      'DELETE FROM fires WHERE key IN (SELECT key FROM fires WHERE fired_ms < ? ORDER BY fired_ms LIMIT ?)',
    ).run(firedBeforeMs, limit);
    return this.#sql(
      'DELETE FROM tasks WHERE id IN (SELECT id FROM tasks WHERE ended_ms < ? ORDER BY ended_ms LIMIT ?)',
    ).run(endedBeforeMs, limit);
  }

  pause(pause: Pause): Pause {
    this.#sql('INSERT INTO pauses (what, paused_by, since_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING').run(
      pause.what,
      pause.by,
      pause.sinceMs,
    );
    const row = this.#sql('SELECT what, paused_by, since_ms FROM pauses WHERE what = ?').get(pause.what);
    return row ? readPause(row) : pause;
  }

  resume(what: PauseTarget): boolean {
    return this.#sql('DELETE FROM pauses WHERE what = ?').run(what) > 0;
  }

  #insert(task: NewTask): Enqueued & { readonly outcome: 'queued' } {
    const { id, request, attempt, createdMs, notBeforeMs } = task;
    const waiting: WaitingTask = { id, request, attempt, createdMs, merged: 0, state: 'queued' };
    const placed = {
      task: notBeforeMs === undefined ? waiting : { ...waiting, notBeforeMs },
      position: this.#lastPosition(),
    };
    this.#sql(insertTask).run(...insertValues(placed, task.interruptions));
    return { outcome: 'queued', waiting: placed };
  }

  #merge(equal: Waiting, incoming: NewTask): Enqueued & { readonly outcome: 'merged' } {
    const task = merged(equal.task, incoming);
    this.#sql(
      'UPDATE tasks SET priority = ?, request = ?, attempt = ?, merged = ?, not_before_ms = ? WHERE id = ?',
    ).run(
      JSON.stringify(task.request.priority),
      JSON.stringify(task.request),
      task.attempt,
      task.merged,
      task.notBeforeMs ?? null,
      task.id,
    );
    return { outcome: 'merged', waiting: { task, position: equal.position } };
  }

  #placed(): readonly Placed[] {
    return this.#sql("SELECT id, priority, position FROM tasks WHERE state = 'queued'")
      .all()
      .map((row) => ({
        id: taskId(text(row, 'id')),
        priority: JSON.parse(text(row, 'priority')) as Priority,
        position: number(row, 'position'),
      }));
  }

  #lastPosition(): number {
    const row = this.#sql("SELECT max(position) AS last FROM tasks WHERE state = 'queued'").get();
    return (typeof row?.['last'] === 'number' ? row['last'] : 0) + 1;
  }

  #change(id: TaskId, expected: string, sql: string, values: readonly SqlValue[]): void {
    if (this.#sql(sql).run(...values) === 0) throw this.#wrongState(id, expected);
  }

  #notWaiting(id: TaskId, place: Place): Error {
    const other = place === 'first' || place === 'last' ? id : 'before' in place ? place.before : place.after;
    const waits = this.#find(id)?.['state'] === 'queued';
    return this.#wrongState(waits ? other : id, 'queued');
  }

  #wrongState(id: TaskId, expected: string): Error {
    const state = text(this.#row(id), 'state');
    return new UsageError(`the task ${id} is ${state}, not ${expected}`);
  }

  #row(id: TaskId): SqlRow {
    const row = this.#find(id);
    if (!row) throw new NotFoundError(`there is no task ${id}`);
    return row;
  }

  #find(id: TaskId): SqlRow | undefined {
    return this.#sql(`SELECT ${taskColumns} FROM tasks WHERE id = ?`).get(id);
  }

  #sql(sql: string): SqlStatement {
    return this.#statements.of(sql);
  }
}

function readPause(row: SqlRow): Pause {
  return { what: text(row, 'what') as PauseTarget, by: text(row, 'paused_by'), sinceMs: number(row, 'since_ms') };
}
