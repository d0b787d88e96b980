-- How far the speed layer has applied each partition of the log that it reads now.
SELECT
    if(topic = 'user-events', 'events', 'orders') AS dataset,
    topic,
    log_epoch,
    log_partition,
    applied,
    complete_from,
    hole_until,
    watermark,
    append_time
FROM (SELECT * FROM speed_progress FINAL)
WHERE (topic, log_epoch) IN (SELECT topic, max(log_epoch) FROM speed_progress GROUP BY topic)
    AND topic IN ('user-events', 'transactions')
