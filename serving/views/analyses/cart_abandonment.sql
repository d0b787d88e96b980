SELECT
    tenant_id,
    day,
    countIf(add_to_carts > 0) AS sessions_with_cart,
    countIf(add_to_carts > 0 AND purchases = 0) AS abandoned,
    if(sessions_with_cart = 0, NULL, abandoned / sessions_with_cart) AS share
FROM sessions
WHERE day BETWEEN {from_day:Date} AND {to_day:Date} AND ({tenant:String} = '' OR tenant_id = {tenant:String})
GROUP BY tenant_id, day
ORDER BY tenant_id, day
