-- Of each day the publication that counts: what the newest selection of the dataset names.
WITH chosen AS
(
    SELECT dataset, argMax(arrayZip(days, sequences, publications), id) AS rows
    FROM batch_selections
    GROUP BY dataset
)
SELECT dataset, day, sequence, publication_id, version, log_epoch, cut, snapshot_id, sealed, definition, published_at
FROM batch_publications
WHERE (dataset, day, sequence, publication_id) IN (SELECT dataset, row.1, row.2, row.3 FROM chosen ARRAY JOIN rows AS row)
LIMIT 1 BY dataset, day
