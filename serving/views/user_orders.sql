-- How many orders a user completed in each currency, and their mean.
SELECT
    tenant_id,
    user_id,
    currency,
    count() AS orders,
    sum(amount_minor) AS total_minor,
    avg(amount_minor) AS mean_minor,
    min(order_time) AS first_order,
    max(order_time) AS last_order
FROM orders
WHERE status = 'completed'
GROUP BY tenant_id, user_id, currency
