system.parts
    -- The situation is the sum of hashes of all that known_days rests on. Parts never change, new rows are a new part. So with
    -- the names and contents of all parts of selections, rollups, landings, beginnings and late rows, and the days of the speed
    -- layer, it is another one whenever any of them has changed; rows of open days and progress change none of it.
    WHERE active AND database = '{database}' AND table IN ('batch_selections', 'batch_rollup', 'batch_landings', 'events_speed', 'speed_sessions', 'speed_beginnings')
