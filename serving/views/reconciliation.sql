-- Speed against batch, by metric; `current` marks the newest comparison of each day and dataset.
SELECT
    day,
    dataset,
    source,
    tenant_id,
    currency,
    metric,
    groups,
    equal,
    differing,
    missing,
    extra,
    speed_total,
    batch_total,
    smape,
    worst,
    version,
    checked_at,
    (day, dataset, checked_at) IN (SELECT day, dataset, max(checked_at) FROM batch_reconciliation GROUP BY day, dataset) AS current
FROM batch_reconciliation
