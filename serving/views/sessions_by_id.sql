-- `sessions` for queries that name a session id. Each layer gives its groups with arrays of their sessions: so the many
-- columns are named once, and the choice between the layers is made among the few rows of the id, without FINAL: of the
-- speed rows the one with the greatest as_of speaks for its group, and answers or leaves the answer to the batch.
WITH
{events_published}
SELECT
    {group_columns},
    {session_elements},
    day,
    if(newest.1, 'speed', 'batch') AS layer,
    {speed_version} AS publication_version
FROM
(
    SELECT
        {group_columns},
        day,
        argMax((part.is_answer, part.sessions), part.rank) AS newest,
        groupArrayArrayIf(part.sessions, part.rank = 0) AS of_batch
    FROM
    (
        SELECT {group_columns}, day, toUInt64(0) AS rank, false AS is_answer, [({session_columns})] AS sessions
        FROM batch_sessions
        WHERE (day, version) IN {selected}
        UNION ALL
        SELECT {group_columns}, day, reached + 1 AS rank, {answers} AS is_answer, sessions
        FROM speed_sessions
        UNION ALL
        SELECT {group_defaults}, day, toUInt64({raise}) AS rank, toBool({raise}) AS is_answer, [] AS sessions
        FROM {events_holes}
        WHERE {raise} = 0
    ) AS part
    GROUP BY {group_columns}, day
)
ARRAY JOIN if(newest.1, newest.2, of_batch) AS session
SETTINGS max_threads = 1
