-- By category or product an order counts with its lines, otherwise with its amount. Currencies are never added.
SELECT
    tenant_id,
    part.1 AS value,
    currency,
    uniqExactIf(transaction_id, status = 'completed') AS orders,
    sumIf(part.2, status = 'completed') AS gross_minor,
    sumIf(part.2, status = 'refunded') AS refunded_minor,
    gross_minor - refunded_minor AS net_minor
FROM
(
    SELECT
        tenant_id,
        currency,
        status,
        transaction_id,
        multiIf(
            {dimension:String} = 'category', arrayMap(item -> (item.4, toInt64(item.2) * item.3), items),
            {dimension:String} = 'product', arrayMap(item -> (item.1, toInt64(item.2) * item.3), items),
            {dimension:String} = 'user', [(user_id, amount_minor)],
            {dimension:String} = 'payment_method', [(toString(payment_method), amount_minor)],
            [('', amount_minor)]) AS parts
    FROM orders
    WHERE day BETWEEN {from_day:Date} AND {to_day:Date} AND status IN ('completed', 'refunded') AND ({tenant:String} = '' OR tenant_id = {tenant:String})
)
ARRAY JOIN parts AS part
GROUP BY tenant_id, value, currency
ORDER BY gross_minor DESC, tenant_id, value, currency
