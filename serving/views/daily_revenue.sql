SELECT
    tenant_id,
    day,
    currency,
    {metrics},
    multiIf(max(part.publication_version) = 0, 'speed', sum(part.late_rows) = 0, 'batch', 'merged') AS layer,
    max(part.publication_version) AS publication_version,
    sum(part.late_rows) AS late_groups
FROM
(
    SELECT
        tenant_id,
        day,
        currency,
        {order_partials},
        max(source.publication_version) AS publication_version,
        countIf(source.layer = 'speed' AND source.publication_version > 0) AS late_rows
    FROM orders AS source
    GROUP BY tenant_id, day, currency
) AS part
GROUP BY tenant_id, day, currency
