WITH
{events_published}
SELECT
    {event_columns},
    day,
    'batch' AS layer,
    version AS publication_version
FROM batch_events
WHERE (day, version) IN {selected}
UNION ALL
SELECT
    {event_columns},
    day,
    'speed' AS layer,
    {speed_version} AS publication_version
FROM (SELECT * FROM events_speed FINAL WHERE {answers})
UNION ALL
SELECT
    {event_defaults},
    day,
    toString({raise}) AS layer,
    toUInt64({raise}) AS publication_version
FROM {events_holes}
WHERE {raise} = 0
