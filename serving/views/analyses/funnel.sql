SELECT
    tenant_id,
    segment,
    step,
    {steps:Array(String)}[step] AS event_type,
    countIf(level >= step) AS visitors,
    countIf(level >= 1) AS of_first,
    if(of_first = 0, NULL, visitors / of_first) AS share
FROM
(
{funnel_levels}
)
ARRAY JOIN arrayEnumerate({steps:Array(String)}) AS step
GROUP BY tenant_id, segment, step
ORDER BY tenant_id, segment, step
