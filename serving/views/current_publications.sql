-- Of each day the publication that counts: the greatest sequence. Of publications that raced for one sequence,
-- the one with the greatest (version, publication_id) took place and the others did not.
SELECT
    dataset,
    day,
    max(p.sequence) AS sequence,
    argMax(p.publication_id, p.sequence) AS publication_id,
    argMax(p.version, p.sequence) AS version,
    argMax(p.log_epoch, p.sequence) AS log_epoch,
    argMax(p.cut, p.sequence) AS cut,
    argMax(p.snapshot_id, p.sequence) AS snapshot_id,
    argMax(p.sealed, p.sequence) AS sealed,
    argMax(p.definition, p.sequence) AS definition,
    argMax(p.published_at, p.sequence) AS published_at
FROM batch_publications AS p
WHERE (dataset, p.sequence, p.publication_id) IN
(
    SELECT dataset, sequence, argMax(publication_id, (version, publication_id))
    FROM batch_publications
    GROUP BY dataset, sequence
)
GROUP BY dataset, day
