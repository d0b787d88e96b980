SELECT
    tenant_id,
    cohort,
    period,
    users,
    max(if(period = 0, users, 0)) OVER (PARTITION BY tenant_id, cohort) AS of_cohort,
    users / of_cohort AS share,
    toBool(cohort + (period + 1) * length <= {to_day:Date} + 1) AS complete
FROM
(
    SELECT tenant_id, length, cohort, period, uniqExact(user_id) AS users
    FROM
    (
{retention_seen}
    )
    GROUP BY tenant_id, length, cohort, period
)
ORDER BY tenant_id, cohort, period
