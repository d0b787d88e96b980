-- A speed row holds all sessions of its group on the day, so it takes the place of the batch rows of the group as a whole.
WITH
{events_published}
SELECT
    {group_columns},
    {session_columns},
    day,
    'batch' AS layer,
    version AS publication_version
FROM batch_sessions
WHERE (day, version) IN {selected}
    AND (day, {group_columns}) NOT IN (SELECT day, {group_columns} FROM speed_sessions WHERE {late})
UNION ALL
SELECT
    {group_columns},
    {session_columns},
    day,
    'speed' AS layer,
    {speed_version} AS publication_version
FROM speed_sessions FINAL
ARRAY JOIN {session_arrays}
WHERE {answers}
UNION ALL
SELECT
    {group_defaults},
    {session_defaults},
    day,
    toString({raise}) AS layer,
    toUInt64({raise}) AS publication_version
FROM {events_holes}
WHERE {raise} = 0
