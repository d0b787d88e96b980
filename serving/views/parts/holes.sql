(
    -- Grouped, so that the message is read only of a row that is left after all conditions of a query: a filter on a result
    -- of an aggregation is never moved below it, one on the day is.
    SELECT hole.1 AS day, max(hole.2) AS message
    FROM (SELECT arrayJoin(arrayZip(missing[1].1, missing[1].2)) AS hole)
    GROUP BY day
)