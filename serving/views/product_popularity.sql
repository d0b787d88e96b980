-- What was done with a product in five minutes of event time, and what was sold of it: completed orders, gross, by currency.
WITH
{events_published}
SELECT
    tenant_id,
    day,
    window_start,
    product_id,
    {counter_sums},
    sum(part.units) AS units,
    sumMap(part.revenue_minor) AS revenue_minor,
    multiIf(max(part.publication_version) = 0, 'speed', countIf(part.layer = 'speed') = 0, 'batch', 'merged') AS layer,
    max(part.publication_version) AS publication_version
FROM
(
    SELECT
        tenant_id, day, toDateTime64(window_start, 3, 'UTC') AS window_start, product_id, {counters}, toInt64(0) AS units, {no_revenue} AS revenue_minor,
        'speed' AS layer, toUInt64(0) AS publication_version
    FROM (SELECT * FROM speed_products FINAL)
    WHERE {open}
    UNION ALL
    SELECT
        tenant_id, day, toDateTime64(toStartOfFiveMinutes(event_time), 3, 'UTC') AS window_start, assumeNotNull(fact.product_id) AS product_id,
        {counter_facts}, toInt64(0) AS units, {no_revenue} AS revenue_minor, layer, publication_version
    FROM events AS fact
    WHERE NOT ({open}) AND fact.product_id IS NOT NULL AND event_type IN ({counted_types})
    UNION ALL
    SELECT
        tenant_id, day, toDateTime64(toStartOfFiveMinutes(order_time), 3, 'UTC') AS window_start, item.product_id AS product_id,
        {counter_zeros}, toInt64(item.quantity) AS units, map(toString(currency), item.price_minor * item.quantity) AS revenue_minor,
        layer, publication_version
    FROM orders
    ARRAY JOIN items AS item
    WHERE status = 'completed'
    UNION ALL
    SELECT
        toString({raise}) AS tenant_id, day, toDateTime64({raise}, 3, 'UTC') AS window_start, toString({raise}) AS product_id,
        {counter_raises}, toInt64({raise}) AS units, {no_revenue} AS revenue_minor, toString({raise}) AS layer,
        toUInt64({raise}) AS publication_version
    FROM {events_holes}
    WHERE {raise} = 0
) AS part
GROUP BY tenant_id, day, window_start, product_id
