-- The tool beside the turn: tasks of a tool whose service takes no more runs are passed over without a look at their rows.
DROP INDEX task_queue;
CREATE INDEX task_queue ON task (provider_id, turn, submit_at, n, lease_until, tool_id) WHERE submit_at IS NOT NULL;
