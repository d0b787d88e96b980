(
        -- The holes of dataset {dataset}, as one row of (days, messages, partitions, kinds) or none. They are looked for only where
        -- there may be some: where the speed store begins past records, or has a partition that not every cut has.
        SELECT dictGet('{database}.holes_of', ('days', 'messages', 'partitions', 'kinds'), materialize('{dataset}')) AS found
        WHERE {is_live} AND assumeNotNull((SELECT max({dataset}) FROM speed_beginnings)) > {known}
    )
