-- `sessions` for queries that name a session id. Each layer gives its groups with arrays of their sessions: so the many
-- columns are named once, and the choice between the layers is made among the few groups of the id.
WITH
{events_published},
{events_missing}
SELECT
    {group_columns},
    {session_elements},
    day,
    if(is_speed, 'speed', 'batch') AS layer,
    publication_version
FROM
(
    SELECT
        {group_columns},
        day,
        max(part.publication_version) AS publication_version,
        max(part.is_speed) AS is_speed,
        groupArrayArrayIf(part.sessions, part.is_speed) AS of_speed,
        groupArrayArrayIf(part.sessions, NOT part.is_speed) AS of_batch
    FROM
    (
        SELECT {group_columns}, day, version AS publication_version, false AS is_speed, [({session_columns})] AS sessions
        FROM batch_sessions
        WHERE (day, version) IN published.1
        UNION ALL
        SELECT {group_columns}, day, {speed_version} AS publication_version, true AS is_speed, sessions
        FROM speed_sessions FINAL
        WHERE {answers}
        UNION ALL
        SELECT {group_defaults}, day, toUInt64({raise}) AS publication_version, toBool({raise}) AS is_speed, [] AS sessions
        FROM {holes}
        WHERE {raise} = 0
    ) AS part
    GROUP BY {group_columns}, day
)
ARRAY JOIN if(is_speed, of_speed, of_batch) AS session
