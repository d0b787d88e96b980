SELECT
    tenant_id,
    assumeNotNull(event.product_id) AS product_id,
    countIf(event_type = 'page_view') AS views,
    countIf(event_type = 'click') AS clicks,
    countIf(event_type = 'add_to_cart') AS add_to_carts,
    countIf(event_type = 'purchase') AS purchases
FROM events AS event
WHERE day BETWEEN toDate({from_time:DateTime64(3, 'UTC')}) AND toDate({to_time:DateTime64(3, 'UTC')})
    AND event_time >= {from_time:DateTime64(3, 'UTC')} AND event_time < {to_time:DateTime64(3, 'UTC')}
    AND event.product_id IS NOT NULL AND event_type != 'search' AND ({tenant:String} = '' OR tenant_id = {tenant:String})
    AND startsWith(properties['category'], {category:String})
GROUP BY tenant_id, product_id
ORDER BY views DESC, purchases DESC, tenant_id, product_id
