    -- What readers of dataset {dataset} get: what its newest selection names, or the newest one before a pin, as {said}
    -- One tuple, named seldom: the engine analyses it wherever it is named, all of its parts each time.
    (
        SELECT argMax(({fields}), (sequence, version, publication_id))
        FROM batch_selections
        WHERE dataset = '{dataset}' AND {before_pin}
    ) AS published
