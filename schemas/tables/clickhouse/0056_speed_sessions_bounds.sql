-- Writer: streams. Place and reach in the form in which publications say their cuts (see batch_selections).
ALTER TABLE speed_sessions
    ADD COLUMN IF NOT EXISTS place UInt32 MATERIALIZED toUInt32(toUInt16(day)) * 65536 + log_partition COMMENT 'Day number * 65536 + Kafka partition',
    ADD COLUMN IF NOT EXISTS reached UInt64 MATERIALIZED bitShiftLeft(toUInt64(log_epoch), 48) + as_of COMMENT 'Log epoch * 2^48 + as_of'
