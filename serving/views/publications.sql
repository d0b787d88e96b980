-- The history of publications that took place; the latest of a day is the one that readers get.
SELECT
    dataset,
    day,
    sequence,
    publication_id,
    version,
    log_epoch,
    cut,
    snapshot_id,
    sealed,
    definition,
    published_at,
    (dataset, day, sequence) IN (SELECT dataset, day, sequence FROM current_publications) AS current
FROM batch_publications
WHERE (dataset, sequence, publication_id) IN
(
    SELECT dataset, sequence, argMax(publication_id, (version, publication_id))
    FROM batch_selections
    GROUP BY dataset, sequence
)
