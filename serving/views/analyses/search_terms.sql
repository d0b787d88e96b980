-- A search leads to a purchase where its session id has a purchase after it.
SELECT
    tenant_id,
    term,
    count() AS searches,
    uniqExact(visitor_id) AS visitors,
    countIf(bought) AS searches_before_purchase
FROM
(
    SELECT
        tenant_id,
        searched.2 AS term,
        coalesce(searched.3, session_id) AS visitor_id,
        searched.1 < last_purchase AS bought
    FROM
    (
        SELECT
            tenant_id,
            session_id,
            groupArrayIf((event_time, lowerUTF8(trimBoth(assumeNotNull(search_query))), user_id), event_type = 'search' AND trimBoth(ifNull(search_query, '')) != '') AS searches,
            maxIf(event_time, event_type = 'purchase') AS last_purchase
        FROM events
        WHERE day BETWEEN {from_day:Date} AND {to_day:Date} AND event_type IN ('search', 'purchase') AND ({tenant:String} = '' OR tenant_id = {tenant:String})
        GROUP BY tenant_id, session_id
    )
    ARRAY JOIN searches AS searched
)
GROUP BY tenant_id, term
ORDER BY searches DESC, tenant_id, term
