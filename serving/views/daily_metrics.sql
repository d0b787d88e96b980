SELECT
    tenant_id,
    day,
    {metrics},
    multiIf(max(part.publication_version) = 0, 'speed', sum(part.late_rows) + sum(part.late_groups) = 0, 'batch', 'merged') AS layer,
    max(part.publication_version) AS publication_version,
    sum(part.late_groups) AS late_groups
FROM
(
    SELECT
        tenant_id,
        day,
        {session_partials},
        max(source.publication_version) AS publication_version,
        countIf(source.layer = 'speed') AS late_rows,
        toUInt64(0) AS late_groups,
        count() AS rows
    FROM sessions AS source
    GROUP BY tenant_id, day
    UNION ALL
    SELECT
        tenant_id,
        day,
        {event_partials},
        max(source.publication_version) AS publication_version,
        countIf(source.layer = 'speed') AS late_rows,
        toUInt64(0) AS late_groups,
        count() AS rows
    FROM events AS source
    GROUP BY tenant_id, day
    UNION ALL
    SELECT
        tenant_id,
        day,
        {no_partials},
        max(source.publication_version) AS publication_version,
        toUInt64(0) AS late_rows,
        count() AS late_groups,
        toUInt64(0) AS rows
    FROM late_groups AS source
    WHERE source.publication_version > 0
    GROUP BY tenant_id, day
) AS part
GROUP BY tenant_id, day
HAVING sum(part.rows) > 0
