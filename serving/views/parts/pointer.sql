    -- What readers of dataset events get, for views that leave the rest to others: as in `published`, 1 (day, version) and 5 the
    -- partitions that all cuts have, and 2 a hash of which selection it is. The parts of a constant are repeated in the
    -- names of all that is made of it, so that a short one is analysed in less time.
    (
        SELECT argMax((selected, selection, [], [], partitions), (version, publication_id))
        FROM
        (
            SELECT version, publication_id, selected, partitions, {selection} AS selection
            FROM batch_selections
            WHERE dataset = 'events'
            ORDER BY sequence DESC
            LIMIT 1 WITH TIES
        )
    ) AS published
