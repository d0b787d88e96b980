-- Of every step, in order, the latest start from which it was reached: an event that takes a step carries on the start of
-- the step before it, which was taken by an earlier event. So a repeated step needs a further event.
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
    SELECT
        tenant_id,
        segment,
        arrayCount(start -> start >= 0, arrayFold(
            (starts, event) -> arrayMap(n -> multiIf(
                event.3 != {steps:Array(String)}[n], starts[n],
                n = 1, event.1,
                starts[n - 1] >= 0 AND event.1 - starts[n - 1] <= {window_s:UInt32} * 1000, greatest(starts[n], starts[n - 1]),
                starts[n]), arrayEnumerate(starts)),
            taken,
            arrayMap(kind -> toInt64(-1), {steps:Array(String)}))) AS level
    FROM
    (
        SELECT
            tenant_id,
            coalesce(user_id, session_id) AS visitor_id,
            argMin(multiIf({segment_by:String} = 'platform', toString(platform), {segment_by:String} = 'device_class', toString(device_class),
                {segment_by:String} = 'country', ifNull(toString(country), ''), ''), (event_time, event_id)) AS segment,
            arraySort(groupArray((toUnixTimestamp64Milli(event_time), event_id, toString(event_type)))) AS taken
        FROM events
        WHERE day BETWEEN {from_day:Date} AND {to_day:Date} AND ({tenant:String} = '' OR tenant_id = {tenant:String})
        GROUP BY tenant_id, visitor_id
    )
)
ARRAY JOIN arrayEnumerate({steps:Array(String)}) AS step
GROUP BY tenant_id, segment, step
ORDER BY tenant_id, segment, step
