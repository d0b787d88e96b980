-- Figures of published days within each device, country, UTC hour and category, as the batch layer counted them: open days
-- have none yet, and late records show once their day was computed again.
SELECT day, tenant_id, dimension, member, currency, metric, value, version AS publication_version
FROM batch_breakdowns
WHERE (day, version) IN (SELECT day, version FROM current_publications)
