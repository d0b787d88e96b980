WITH
{events_published}
SELECT
    tenant_id,
    day,
    product_id,
    {counter_sums},
    multiIf(max(part.publication_version) = 0, 'speed', countIf(part.layer = 'speed') = 0, 'batch', 'merged') AS layer,
    max(part.publication_version) AS publication_version
FROM
(
    SELECT tenant_id, day, product_id, {counters}, 'batch' AS layer, version AS publication_version
    FROM batch_products
    WHERE (day, version) IN {selected}
    UNION ALL
    SELECT tenant_id, day, product_id, {counters}, 'speed' AS layer, toUInt64(0) AS publication_version
    FROM speed_products FINAL
    WHERE {open}
    UNION ALL
    SELECT tenant_id, day, assumeNotNull(fact.product_id) AS product_id, {counter_facts}, 'speed' AS layer, {speed_version} AS publication_version
    FROM (SELECT * FROM events_speed FINAL WHERE {late}) AS fact
    WHERE fact.product_id IS NOT NULL AND event_type IN ({counted_types})
    UNION ALL
    SELECT toString({raise}) AS tenant_id, day, toString({raise}) AS product_id, {counter_defaults}, toString({raise}) AS layer, toUInt64({raise}) AS publication_version
    FROM {events_holes}
    WHERE {raise} = 0
) AS part
GROUP BY tenant_id, day, product_id
