-- `sessions` for queries that name a session id. Each layer gives its groups with arrays of their sessions: so the many
-- columns are named once, and the choice between the layers is made among the few rows of the id, without FINAL: of the
-- speed rows that answer the one with the greatest as_of speaks for its group, and the batch where there is none.
WITH
{events_published}
SELECT
    {group_columns},
    {session_elements},
    day,
    if(newest.1 > 0, 'speed', 'batch') AS layer,
    {speed_version} AS publication_version
FROM
(
    SELECT {group_columns}, day, max((part.rank, part.sessions)) AS newest
    FROM
    (
        SELECT {group_columns}, day, toUInt64(0) AS rank, sessions
        FROM batch_session_groups
        WHERE (day, version) IN {selected}
        UNION ALL
        SELECT {group_columns}, day, reached + 1 AS rank, sessions
        FROM speed_sessions
        WHERE {answers}
        UNION ALL
        SELECT {group_defaults}, day, toUInt64({raise}) AS rank, [] AS sessions
        FROM {events_holes}
        WHERE {raise} = 0
    ) AS part
    GROUP BY {group_columns}, day
)
ARRAY JOIN newest.2 AS session
SETTINGS max_threads = 1
