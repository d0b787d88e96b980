WITH
{orders_published}
SELECT
    {order_columns},
    day,
    'batch' AS layer,
    version AS publication_version
FROM batch_orders
WHERE (day, version) IN {selected}
UNION ALL
SELECT
    {order_columns},
    day,
    'speed' AS layer,
    {speed_version} AS publication_version
FROM (SELECT * FROM orders_speed FINAL WHERE {order_answers})
UNION ALL
SELECT
    {order_defaults},
    day,
    toString({raise}) AS layer,
    toUInt64({raise}) AS publication_version
FROM {orders_holes}
WHERE {raise} = 0
