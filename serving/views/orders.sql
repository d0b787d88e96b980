SELECT
    {order_columns},
    day,
    'batch' AS layer,
    version AS publication_version
FROM batch_orders
WHERE (day, version) IN (SELECT day, version FROM current_publications WHERE dataset = 'orders')
UNION ALL
SELECT
    {order_columns},
    day,
    'speed' AS layer,
    publication_version
FROM late_orders
UNION ALL
SELECT
    {order_defaults},
    day,
    toString({raise}) AS layer,
    toUInt64({raise}) AS publication_version
FROM holes
WHERE dataset = 'orders' AND {raise} = 0
