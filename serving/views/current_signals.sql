-- The newest figure of each source, metric, region and product.
SELECT *
FROM signals
ORDER BY observed_at DESC
LIMIT 1 BY tenant_id, source, metric, region, product_id
