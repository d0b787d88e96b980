SELECT
    {group_columns},
    {session_columns},
    day,
    'batch' AS layer,
    version AS publication_version
FROM batch_sessions
WHERE (day, version) IN (SELECT day, version FROM current_publications WHERE dataset = 'events')
    AND (day, {group_columns}) NOT IN (SELECT day, {group_columns} FROM late_groups WHERE publication_version > 0)
UNION ALL
SELECT
    {group_columns},
    {nested_session_columns},
    day,
    'speed' AS layer,
    publication_version
FROM late_groups
ARRAY JOIN sessions AS session
UNION ALL
SELECT
    {group_defaults},
    {session_defaults},
    day,
    toString({raise}) AS layer,
    toUInt64({raise}) AS publication_version
FROM holes
WHERE dataset = 'events' AND {raise} = 0
