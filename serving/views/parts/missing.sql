    -- The holes of dataset {dataset}, as (days, messages, partitions, kinds). They are looked for only where there may be some: where the speed
    -- store begins past records, or has a partition that not every cut has.
    (
        SELECT groupArray(dictGet('{database}.holes_of', ('days', 'messages', 'partitions', 'kinds'), dataset))
        FROM
        (
            SELECT materialize('{dataset}') AS dataset, max(complete_from) AS begun, groupUniqArray(log_partition) AS partitions
            FROM speed_progress
            WHERE topic = '{topic}'
        )
        WHERE {is_live} AND (begun > 0 OR (notEmpty(published.5) AND NOT hasAll(published.5, partitions)))
    ) AS missing