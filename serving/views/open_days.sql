-- Days of the speed layer, each with its rows of daily_metrics as text. What was made of a day holds until a part of it comes,
-- goes or is merged, or another selection counts; then it is made at once.
WITH
{events_published}
SELECT
    day,
    if(kept != '', kept, dictGet('{database}.open_figures_now', 'rows', tuple(day))) AS rows
FROM
(
    SELECT day, dictGet('{database}.open_figures_kept', 'rows', (day, state)) AS kept
    FROM {open_states}
)
SETTINGS max_threads = 1
