SELECT
    tenant_id,
    toDateTime64(toStartOfHour(toDateTime(event_time, 'UTC')), 3, 'UTC') AS hour,
    count() AS events,
    countIf(event_type = 'page_view') AS page_views,
    uniqExact(coalesce(user_id, session_id)) AS visitors,
    countIf(event_type = 'purchase') AS purchases
FROM events
WHERE day BETWEEN {from_day:Date} AND {to_day:Date} AND ({tenant:String} = '' OR tenant_id = {tenant:String})
GROUP BY tenant_id, hour
ORDER BY tenant_id, hour
