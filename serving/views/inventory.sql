-- The stock of each product and warehouse now; join it to products by tenant_id and product_id.
SELECT *
FROM (SELECT * FROM speed_inventory FINAL)
ORDER BY updated_at DESC, log_epoch DESC, log_offset DESC
LIMIT 1 BY tenant_id, product_id, warehouse
