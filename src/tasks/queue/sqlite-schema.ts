/**
 * The tables of the queue, version 1. Times are milliseconds since the epoch; `request`, `priority` and `result` are
 * JSON; `subject` is `backup NAME` or `repository NAME`. The request's own priority is the column, not the JSON.
 */
export const queueTables = `
CREATE TABLE tasks (
  id            TEXT    PRIMARY KEY,
  state         TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'aborting', 'done', 'warning', 'failed',
                                                  'cancelled', 'interrupted', 'skipped')),
  kind          TEXT    NOT NULL,
  subject       TEXT    NOT NULL,
  priority      TEXT    NOT NULL,
  position      REAL    NOT NULL,
  merge_key     TEXT    NOT NULL,
  request       TEXT    NOT NULL,
  attempt       INTEGER NOT NULL,
  merged        INTEGER NOT NULL,
  interruptions INTEGER NOT NULL,
  created_ms    INTEGER NOT NULL,
  not_before_ms INTEGER,
  started_ms    INTEGER,
  ended_ms      INTEGER,
  boot          TEXT,
  result        TEXT,
  CHECK ((ended_ms IS NULL) = (state IN ('queued', 'running', 'aborting'))),
  CHECK ((result IS NULL) = (ended_ms IS NULL))
) STRICT;
CREATE UNIQUE INDEX tasks_waiting_equal ON tasks (merge_key) WHERE state = 'queued';
CREATE INDEX tasks_waiting ON tasks (position) WHERE state = 'queued';
CREATE INDEX tasks_running ON tasks (started_ms) WHERE state IN ('running', 'aborting');
CREATE INDEX tasks_ended ON tasks (ended_ms, id) WHERE ended_ms IS NOT NULL;
CREATE INDEX tasks_ended_by_subject ON tasks (subject, ended_ms, id) WHERE ended_ms IS NOT NULL;

CREATE TABLE fires (
  key      TEXT    PRIMARY KEY,
  task     TEXT    NOT NULL,
  fired_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX fires_by_age ON fires (fired_ms);

CREATE TABLE pauses (
  what     TEXT    PRIMARY KEY,
  paused_by TEXT   NOT NULL,
  since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;
