SELECT
    event_time AS at,
    toString(event_type) AS what,
    session_id,
    product_id,
    page,
    search_query,
    CAST(NULL, 'Nullable(String)') AS transaction_id,
    CAST(NULL, 'Nullable(Int64)') AS amount_minor,
    CAST(NULL, 'Nullable(String)') AS currency
FROM events
WHERE day BETWEEN {from_day:Date} AND {to_day:Date} AND ({tenant:String} = '' OR tenant_id = {tenant:String}) AND user_id = {user:String}
UNION ALL
SELECT
    order_time AS at,
    concat('order ', status) AS what,
    '' AS session_id,
    CAST(NULL, 'Nullable(String)') AS product_id,
    CAST(NULL, 'Nullable(String)') AS page,
    CAST(NULL, 'Nullable(String)') AS search_query,
    transaction_id,
    amount_minor,
    toString(currency) AS currency
FROM orders
WHERE day BETWEEN {from_day:Date} AND {to_day:Date} AND ({tenant:String} = '' OR tenant_id = {tenant:String}) AND user_id = {user:String}
