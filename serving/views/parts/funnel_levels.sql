    -- How many steps each entity took, and where its events came from. Of every step, in order, the latest start from which
    -- it was reached: an event that takes a step carries on the start of the step before it, which was taken by an earlier
    -- event. So a repeated step needs a further event.
    SELECT
        tenant_id,
        segment,
        version,
        fast,
        late_facts,
        arrayCount(start -> start >= 0, arrayFold(
            (starts, event) -> arrayMap(n -> multiIf(
                event.3 != indexOf({steps:Array(String)}, {steps:Array(String)}[n]), starts[n],
                n = 1, event.1,
                starts[n - 1] >= 0 AND event.1 - starts[n - 1] <= {window_s:UInt32} * 1000, greatest(starts[n], starts[n - 1]),
                starts[n]), arrayEnumerate(starts)),
            taken,
            arrayMap(kind -> toInt64(-1), {steps:Array(String)}))) AS level
    FROM
    (
        SELECT
            tenant_id,
            {entity} AS entity,
            {segment} AS segment,
            max(publication_version) AS version,
            countIf(layer = 'speed') AS fast,
            countIf(layer = 'speed' AND publication_version > 0) AS late_facts,
            arraySort(groupArrayIf((toUnixTimestamp64Milli(event_time), event_id, indexOf({steps:Array(String)}, toString(event_type))), has({steps:Array(String)}, toString(event_type)))) AS taken
        FROM events
        WHERE day BETWEEN {from_day:Date} AND {to_day:Date} AND {kept}
        GROUP BY tenant_id, entity
    )
