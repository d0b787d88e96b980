(
        -- The holes of dataset {dataset}, as one row of (days, messages, partitions, kinds) or none. They are looked for only where
        -- there may be some: where the speed store begins past records, or has a partition that not every cut has. Elsewhere
        -- no part of the table is left to be read.
        SELECT dictGet('{database}.holes_of', ('days', 'messages', 'partitions', 'kinds'), materialize('{dataset}')) AS found
        FROM speed_beginnings
        WHERE {is_live}{dataset} > {known}
        LIMIT 1
    )
