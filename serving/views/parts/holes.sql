(
    -- Grouped, so that the message is read only of a row that is left after all conditions of a query: a filter on a result
    -- of an aggregation is never moved below it, one on the day is.
    SELECT day, max(message) AS message
    FROM {missing}
    ARRAY JOIN found.1 AS day, found.2 AS message
    GROUP BY day
)