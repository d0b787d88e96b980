-- The current load of each day: that of the newest inputs.
SELECT * FROM batch_user_features WHERE (day, version) IN
(
    SELECT day, argMax(version, (events_sequence, orders_sequence, version))
    FROM batch_feature_loads
    GROUP BY day
)
