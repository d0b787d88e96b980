SELECT topic, log_epoch, log_partition, log_offset, append_time, reason, message, key, value
FROM (SELECT * FROM speed_dead_letters FINAL)
