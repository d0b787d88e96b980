    -- What readers of dataset {dataset} get: what its newest selection names, or the newest one before a pin, as
    -- 1 (day, version), 2 day number -> version, 3 place -> 1 + bound and 4 (day, version) of days that are not sealed,
    -- 5 the partitions that all cuts have, 6 a hash of which selection it is. One tuple, named seldom: the engine analyses it wherever it is named.
    (
        SELECT argMax((selected, version_of, bound_of, hot, partitions, selection), (version, publication_id))
        FROM
        (
            SELECT version, publication_id, selected, version_of, bound_of, hot, partitions, {selection} AS selection
            FROM batch_selections
            WHERE dataset = '{dataset}' AND {before_pin}
            ORDER BY sequence DESC
            LIMIT 1 WITH TIES
        )
    ) AS published
