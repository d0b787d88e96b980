(
    -- A number for what the figures of a day that is not published are made of: its parts in both tables, and the selection.
    SELECT day, sum(hash) + {selection} AS state
    FROM
    (
        SELECT toDateOrZero(substring(partition, 3, 10)) AS day, sipHash64(table, name, hash_of_all_files) AS hash
        FROM system.parts
        WHERE active AND database = '{database}' AND table IN ('events_speed', 'speed_sessions')
    )
    GROUP BY day
)
