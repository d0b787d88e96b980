SELECT
    day, alert_id, tenant_id, rule, severity, entity, user_id, session_id, window_start, window_end, observed, threshold,
    amount_minor, currency, log_topic, log_epoch, log_partition, as_of, message, evidence
FROM (SELECT * FROM speed_alerts FINAL)
