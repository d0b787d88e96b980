(
    -- The situation is the sum of these hashes: all that known_days rests on. Parts never change, new rows are a new part. So
    -- with the names and contents of all parts of selections, rollups, landings and late rows, the days of the speed layer and
    -- where its partitions begin, it is another one whenever any of them has changed; rows of open days and progress alone
    -- change none of it.
    SELECT sipHash64(if(endsWith(partition, 'false)'), partition, concat(name, hash_of_all_files))) AS hash
    FROM system.parts
    WHERE active AND database = '{database}' AND table IN ('batch_selections', 'batch_rollup', 'batch_landings', 'events_speed', 'speed_sessions')
    UNION ALL
    SELECT sipHash64(topic, log_epoch, log_partition, complete_from, hole_until) AS hash
    FROM speed_progress FINAL
)
