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
    WHERE (day, version) IN (SELECT day, version FROM current_publications WHERE dataset = 'events')
    UNION ALL
    SELECT tenant_id, day, product_id, {counters}, 'speed' AS layer, toUInt64(0) AS publication_version
    FROM (SELECT * FROM speed_products FINAL)
    WHERE day NOT IN (SELECT day FROM current_publications WHERE dataset = 'events')
    UNION ALL
    SELECT tenant_id, day, assumeNotNull(fact.product_id) AS product_id, {counter_facts}, 'speed' AS layer, publication_version
    FROM late_facts AS fact
    WHERE publication_version > 0 AND fact.product_id IS NOT NULL AND event_type IN ({counted_types})
    UNION ALL
    SELECT toString({raise}) AS tenant_id, day, toString({raise}) AS product_id, {counter_defaults}, toString({raise}) AS layer, toUInt64({raise}) AS publication_version
    FROM holes
    WHERE dataset = 'events' AND {raise} = 0
) AS part
GROUP BY tenant_id, day, product_id
