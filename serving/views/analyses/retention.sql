-- Users are first seen on the first of all stored days on which they have a session, also before the span.
SELECT
    tenant_id,
    cohort,
    period,
    users,
    max(if(period = 0, users, 0)) OVER (PARTITION BY tenant_id, cohort) AS of_cohort,
    users / of_cohort AS share,
    cohort + (period + 1) * length <= {to_day:Date} + 1 AS complete
FROM
(
    SELECT
        tenant_id,
        if({period:String} = 'week', 7, 1) AS length,
        if({period:String} = 'week', toMonday(first_day), first_day) AS cohort,
        intDiv(dateDiff('day', cohort, if({period:String} = 'week', toMonday(seen), seen)), length) AS period,
        uniqExact(user_id) AS users
    FROM
    (
        SELECT tenant_id, user_id, min(day) AS first_day, groupUniqArray(day) AS days
        FROM sessions
        WHERE day <= {to_day:Date} AND user_id IS NOT NULL AND ({tenant:String} = '' OR tenant_id = {tenant:String})
        GROUP BY tenant_id, user_id
        HAVING first_day >= {from_day:Date}
    )
    ARRAY JOIN days AS seen
    GROUP BY tenant_id, length, cohort, period
)
ORDER BY tenant_id, cohort, period
