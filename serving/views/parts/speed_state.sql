    -- What the speed layer holds of events, as 1 its days, 2 a hash of the parts of each that hold late rows, and 3 a hash of the
    -- parts of the rollups. Parts never change: a new row is a new part. So figures of a published day that were made under
    -- a state still are what they were, for as long as the state is the same.
    (
        SELECT (
            groupUniqArrayIf(day, table != 'batch_rollup'),
            sumMapIf([day], [hash], is_late),
            sumIf(hash, table = 'batch_rollup'))
        FROM
        (
            SELECT table, toDateOrZero(substring(partition, 3, 10)) AS day, endsWith(partition, 'true)') AS is_late, sipHash64(table, name, hash_of_all_files) AS hash
            FROM system.parts
            WHERE active AND database = '{database}' AND table IN ('events_speed', 'speed_sessions', 'batch_rollup')
        )
    ) AS speed_state
