-- Times are microseconds since 1970, task ids sixteen bytes, records and events JSON, costs nano-dollars.
-- What is claimed has a column of its own, free_at: a generated one would not be read from an index alone.

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
    submit_at       INTEGER,
    turn            INTEGER NOT NULL,
    holds_slot      INTEGER NOT NULL,
    needs_review    INTEGER NOT NULL,
    ended_at        INTEGER,
    cost_nanos      INTEGER,
    lease_owner     TEXT,
    lease_until     INTEGER,
    -- From when on it may be claimed: when it is due and no lease holds it.
    free_at         INTEGER,
    -- Until when it holds a run slot: as long as its state says so, or, while it waits for one, as long as it is leased.
    slot_until      INTEGER,
    revision        INTEGER NOT NULL,
    record          TEXT    NOT NULL
) STRICT;

-- Ids sort by time: these serve the pages of a list, newest first.
CREATE INDEX task_caller ON task (caller, task_id);
CREATE INDEX task_tool ON task (tool_id, task_id);
CREATE INDEX task_review ON task (task_id) WHERE needs_review = 1;
CREATE UNIQUE INDEX task_key ON task (caller, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX task_run ON task (provider_id, run_id) WHERE run_id IS NOT NULL;
-- Partial, so that they hold the tasks at work and not the ended ones. What follows the searched columns spares the
-- look at the row.
CREATE INDEX task_free ON task (provider_id, free_at, n, status) WHERE free_at IS NOT NULL;
CREATE INDEX task_queue ON task (provider_id, turn, submit_at, n, lease_until) WHERE submit_at IS NOT NULL;
CREATE INDEX task_turn ON task (provider_id, caller, turn) WHERE submit_at IS NOT NULL;
CREATE INDEX task_slot ON task (provider_id, slot_until) WHERE slot_until IS NOT NULL;
-- The ended ones, for their costs and to forget them.
CREATE INDEX task_ended ON task (ended_at, caller, tool_id, cost_nanos) WHERE ended_at IS NOT NULL;

-- What those tasks cost that are gone.
CREATE TABLE total (
    month      TEXT    NOT NULL,
    caller     TEXT    NOT NULL,
    tool_id    TEXT    NOT NULL,
    tasks      INTEGER NOT NULL,
    cost_nanos INTEGER NOT NULL,
    unknown    INTEGER NOT NULL,
    PRIMARY KEY (month, caller, tool_id)
) STRICT, WITHOUT ROWID;

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
    n           INTEGER PRIMARY KEY AUTOINCREMENT,
    notice_id   TEXT    NOT NULL UNIQUE,
    task_id     BLOB    NOT NULL REFERENCES task (task_id),
    caller      TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    due_at      INTEGER,
    lease_owner TEXT,
    lease_until INTEGER,
    free_at     INTEGER,
    state       TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    reason      TEXT
) STRICT;

CREATE INDEX notice_task ON notice (task_id);
CREATE INDEX notice_caller ON notice (caller);
CREATE INDEX notice_free ON notice (free_at, n, created_at) WHERE free_at IS NOT NULL;
CREATE INDEX notice_dead ON notice (n) WHERE state = 'dead';

-- No reference to the task: a webhook may come before its task is known, or name one that never was.
-- What changes while it waits is apart from what it said: a lease then touches a page of many, and moves no body.
CREATE TABLE inbox (
    n            INTEGER PRIMARY KEY AUTOINCREMENT,
    content      BLOB    NOT NULL UNIQUE,
    received_at  INTEGER NOT NULL,
    copies       INTEGER NOT NULL,
    parked_until INTEGER,
    lease_owner  TEXT,
    lease_until  INTEGER,
    -- Zero: at once. One is due when it is here, whatever the clock of the one who took it said.
    free_at      INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE webhook (
    n            INTEGER PRIMARY KEY,
    provider_id  TEXT    NOT NULL,
    task_id      BLOB,
    method       TEXT    NOT NULL,
    path         TEXT    NOT NULL,
    query        TEXT    NOT NULL,
    headers      TEXT    NOT NULL,
    key_id       TEXT,
    body         BLOB    NOT NULL
) STRICT;

CREATE INDEX inbox_free ON inbox (free_at);

CREATE TABLE document (
    namespace TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    version   INTEGER NOT NULL,
    bytes     BLOB    NOT NULL,
    PRIMARY KEY (namespace, key)
) STRICT;
