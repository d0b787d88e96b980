-- Whole windows of five minutes. Those of open days are counted already, but not by category: then facts are, as of other
-- days. LIMIT BY does what FINAL would, with the rows of the span alone.
WITH
{events_published}
SELECT
    tenant_id,
    product AS product_id,
    {counter_times}
FROM
(
    SELECT tenant_id, assumeNotNull(product_id) AS product, event_type AS kind, toUInt64(1) AS times
    FROM batch_events
    WHERE (day, version) IN {selected} AND {popular_facts}
    UNION ALL
    SELECT tenant_id, product, counted.1 AS kind, counted.2 AS times
    FROM
    (
        SELECT tenant_id, product_id AS product, [{counter_pairs}] AS counts
        FROM speed_products
        WHERE {category:String} = '' AND {open} AND {popular_windows}
        ORDER BY as_of DESC
        LIMIT 1 BY tenant_id, product_id, window_start, log_epoch, log_partition
    )
    ARRAY JOIN counts AS counted
    UNION ALL
    SELECT tenant_id, assumeNotNull(product_id) AS product, event_type AS kind, toUInt64(1) AS times
    FROM events_speed
    PREWHERE {popular_facts}
    WHERE {late} OR ({category:String} != '' AND {open})
    LIMIT 1 BY log_epoch, log_partition, log_offset
    UNION ALL
    SELECT toString({raise}) AS tenant_id, toString({raise}) AS product, toString({raise}) AS kind, toUInt64({raise}) AS times
    FROM {events_holes}
    WHERE {raise} = 0 AND {days_of_times}
)
GROUP BY tenant_id, product
ORDER BY views DESC, purchases DESC, tenant_id, product_id
