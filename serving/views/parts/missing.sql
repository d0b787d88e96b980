(
        -- The holes of dataset {dataset}, as one row of (days, messages, partitions, kinds) or none. They are looked for only where there may
        -- be some: where the speed store begins past records, or has a partition that not every cut has.
        SELECT dictGet('{database}.holes_of', ('days', 'messages', 'partitions', 'kinds'), dataset) AS found
        FROM
        (
            SELECT materialize('{dataset}') AS dataset, max(complete_from) AS begun, groupUniqArray(log_partition) AS partitions
            FROM speed_progress
            WHERE topic = '{topic}'
        )
        WHERE {is_live} AND (begun > 0 OR (notEmpty(published.4) AND NOT hasAll(published.4, partitions)))
    )