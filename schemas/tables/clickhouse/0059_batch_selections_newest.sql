-- Writer: batch. What merged views ask of the selection that counts, ready for each part: so the long arrays of all the
-- others are not read, however many there are.
ALTER TABLE batch_selections ADD PROJECTION IF NOT EXISTS newest
(
    SELECT dataset, argMax((selected, version_of, bound_of, partitions), (sequence, version, publication_id))
    GROUP BY dataset
)
