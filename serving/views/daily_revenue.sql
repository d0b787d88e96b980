SELECT
    tenant_id,
    day,
    currency,
    {revenue_metrics},
    multiIf(max(source.publication_version) = 0, 'speed', countIf(source.layer = 'speed') = 0, 'batch', 'merged') AS layer,
    max(source.publication_version) AS publication_version,
    countIf(source.layer = 'speed' AND source.publication_version > 0) AS late_groups
FROM {orders} AS source
GROUP BY tenant_id, day, currency
