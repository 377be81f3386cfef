-- Times are microseconds since 1970, task ids sixteen bytes, records and events JSON.

CREATE TABLE task (
    n               INTEGER PRIMARY KEY,
    task_id         BLOB    NOT NULL UNIQUE,
    caller          TEXT    NOT NULL,
    idempotency_key TEXT,
    tool_id         TEXT    NOT NULL,
    provider_id     TEXT    NOT NULL,
    run_id          TEXT,
    status          TEXT    NOT NULL,
    due_at          INTEGER,
    lease_owner     TEXT,
    lease_until     INTEGER,
    revision        INTEGER NOT NULL,
    record          TEXT    NOT NULL
) STRICT;

-- Ids sort by time: these serve the pages of a list, newest first.
CREATE INDEX task_caller ON task (caller, task_id);
CREATE INDEX task_tool ON task (tool_id, task_id);
CREATE UNIQUE INDEX task_key ON task (caller, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX task_run ON task (provider_id, run_id) WHERE run_id IS NOT NULL;
-- Partial, so that they hold the tasks at work and not the ended ones.
CREATE INDEX task_due ON task (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX task_lease ON task (lease_until) WHERE lease_until IS NOT NULL;

-- AUTOINCREMENT, so that no number is ever given twice.
CREATE TABLE event (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id BLOB NOT NULL REFERENCES task (task_id),
    caller  TEXT NOT NULL,
    body    TEXT NOT NULL
) STRICT;

-- The sequence number is the last part of each: a caller who follows the events reads only their own.
CREATE INDEX event_task ON event (task_id);
CREATE INDEX event_caller ON event (caller);

-- A delivered notice stays, so that it is not added again; a dead one stays with the reason.
CREATE TABLE notice (
    n           INTEGER PRIMARY KEY,
    notice_id   TEXT    NOT NULL UNIQUE,
    task_id     BLOB    NOT NULL REFERENCES task (task_id),
    kind        TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    due_at      INTEGER,
    lease_owner TEXT,
    lease_until INTEGER,
    state       TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    reason      TEXT
) STRICT;

CREATE INDEX notice_due ON notice (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notice_lease ON notice (lease_until) WHERE lease_until IS NOT NULL;

-- No reference to the task: a webhook may come before its task is known, or name one that never was.
CREATE TABLE inbox (
    n           INTEGER PRIMARY KEY AUTOINCREMENT,
    provider_id TEXT    NOT NULL,
    task_id     BLOB    NOT NULL,
    method      TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    key_id      TEXT,
    received_at INTEGER NOT NULL,
    lease_owner TEXT,
    lease_until INTEGER
) STRICT;

CREATE TABLE document (
    namespace TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    bytes     BLOB    NOT NULL,
    PRIMARY KEY (namespace, key)
) STRICT;
