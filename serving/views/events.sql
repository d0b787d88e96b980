SELECT
    {event_columns},
    day,
    'batch' AS layer,
    version AS publication_version
FROM batch_events
WHERE (day, version) IN (SELECT day, version FROM current_publications WHERE dataset = 'events')
UNION ALL
SELECT
    {event_columns},
    day,
    'speed' AS layer,
    publication_version
FROM late_facts
UNION ALL
SELECT
    {event_defaults},
    day,
    toString({raise}) AS layer,
    toUInt64({raise}) AS publication_version
FROM holes
WHERE dataset = 'events' AND {raise} = 0
