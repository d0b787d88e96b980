-- Facts with these few columns alone. LIMIT BY does what FINAL would, with the facts of the span alone: rows of one place in
-- the log are equal in every column.
WITH
{events_published}
SELECT
    tenant_id,
    product AS product_id,
    countIf(kind = 'page_view') AS views,
    countIf(kind = 'click') AS clicks,
    countIf(kind = 'add_to_cart') AS add_to_carts,
    countIf(kind = 'purchase') AS purchases
FROM
(
    SELECT tenant_id, assumeNotNull(product_id) AS product, event_type AS kind
    FROM batch_events
    WHERE (day, version) IN {selected} AND {popular_facts}
    UNION ALL
    SELECT tenant_id, assumeNotNull(product_id) AS product, event_type AS kind
    FROM events_speed
    PREWHERE {popular_facts}
    WHERE {answers}
    LIMIT 1 BY log_epoch, log_partition, log_offset
    UNION ALL
    SELECT toString({raise}) AS tenant_id, toString({raise}) AS product, toString({raise}) AS kind
    FROM {events_holes}
    WHERE {raise} = 0 AND {days_of_times}
)
GROUP BY tenant_id, product
ORDER BY views DESC, purchases DESC, tenant_id, product_id
