-- Figures from outside, the last given for each time; join them to days by day, to products by product_id.
SELECT *
FROM (SELECT * FROM speed_signals FINAL)
ORDER BY append_time DESC, log_epoch DESC, log_offset DESC
LIMIT 1 BY tenant_id, source, metric, region, product_id, observed_at
