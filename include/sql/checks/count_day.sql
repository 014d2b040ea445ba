-- How many rows, and how many different records, Athena finds for one day. Compared with the object's own footer.
SELECT
  count(*) AS row_count,
  count(DISTINCT id) AS id_count
FROM "{{ database }}"."{{ table }}"
WHERE dt = {{ day | text }}
