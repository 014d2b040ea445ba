-- Ids that the view of the day shows more than once. Returns no row when all is well.
SELECT
  id,
  count(*) AS row_count
FROM "{{ database }}"."{{ view }}"
WHERE dt = {{ day | text }}
GROUP BY id
HAVING count(*) > 1
