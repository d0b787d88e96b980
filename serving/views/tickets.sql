-- Each service ticket as it is now; join it to users, products and orders by tenant_id and their ids.
SELECT *
FROM (SELECT * FROM speed_tickets FINAL)
ORDER BY updated_at DESC, log_epoch DESC, log_offset DESC
LIMIT 1 BY tenant_id, ticket_id
