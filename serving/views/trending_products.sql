-- Products by what was done with them in the last day, where what is a half-life older counts half: `score` of
-- schemas/products.py at the time of the newest event that was applied.
WITH (SELECT max(watermark) FROM progress WHERE dataset = 'events') AS seen_until
SELECT
    tenant_id,
    product_id,
    sum(({weighted}) * exp2(-greatest(0, toUnixTimestamp64Milli(seen_until) / 1000 - toUnixTimestamp(window_start) - {window_seconds}) / {half_life_seconds})) AS score,
    {recent_sums}
FROM product_popularity AS popular
WHERE day >= toDate(seen_until) - 1 AND window_start > toDateTime(seen_until, 'UTC') - INTERVAL 1 DAY
GROUP BY tenant_id, product_id
