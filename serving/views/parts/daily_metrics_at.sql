-- What had been published: rollups alone. A row without tenant stands for the day itself.
WITH
{events_published}
SELECT
    tenant_id,
    day,
    {metrics},
    'batch' AS layer,
    publication_version,
    toUInt64(0) AS late_groups
FROM
(
    SELECT tenant_id, day, version AS publication_version, figures AS total
    FROM batch_rollup FINAL
    WHERE catalogue = '{catalogue}' AND (day, version) IN {selected} AND tenant_id != ''
    UNION ALL
    SELECT toString({raise}) AS tenant_id, day, toUInt64({raise}) AS publication_version, [toInt64({raise})] AS total
    FROM
    (
        SELECT pair.1 AS day, max(concat('INCOMPLETE: events of ', toString(pair.1), ' are not added up under these metrics (rivermeet prepare)')) AS message
        FROM (SELECT arrayJoin({selected}) AS pair)
        WHERE pair NOT IN (SELECT (day, version) FROM batch_rollup WHERE catalogue = '{catalogue}' AND tenant_id = '')
        GROUP BY day
    )
    WHERE {raise} = 0
)
