CREATE OR REPLACE DICTIONARY selection_of
(
    id String,
    days Array(Date),
    versions Array(UInt64),
    hot_days Array(Date),
    hot_versions Array(UInt64),
    places Array(UInt32),
    bounds Array(UInt64),
    known UInt32 DEFAULT 4294967294
)
PRIMARY KEY id
SOURCE(CLICKHOUSE(QUERY 'SELECT id, days, versions, hot_days, hot_versions, places, bounds, toUInt32(arrayCount((partition, number) -> partition + 1 = number, partitions, arrayEnumerate(partitions))) AS known FROM {database}.batch_selections WHERE {condition}'))
LAYOUT(COMPLEX_KEY_CACHE(SIZE_IN_CELLS 256))
LIFETIME(MIN 3600 MAX 7200)
COMMENT 'What selections say, by their ids. `known`: of partitions from 0 on, how many all cuts have; all without any'
