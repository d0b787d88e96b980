    -- A row for each user and day with a session, by the period in which the user was first seen: on the first of all stored
    -- days, also before the span.
    SELECT
        tenant_id,
        user_id,
        version,
        fast,
        late_sessions,
        if({period:String} = 'week', 7, 1) AS length,
        if({period:String} = 'week', toMonday(first_day), first_day) AS cohort,
        intDiv(dateDiff('day', cohort, if({period:String} = 'week', toMonday(seen), seen)), length) AS period
    FROM
    (
        SELECT
            tenant_id,
            user_id,
            min(day) AS first_day,
            groupUniqArray(day) AS days,
            max(publication_version) AS version,
            countIf(layer = 'speed') AS fast,
            countIf(layer = 'speed' AND publication_version > 0) AS late_sessions
        FROM sessions
        WHERE day <= {to_day:Date} AND user_id IS NOT NULL AND {kept}
        GROUP BY tenant_id, user_id
        HAVING first_day >= {from_day:Date}
    )
    ARRAY JOIN days AS seen
