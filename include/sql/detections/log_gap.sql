/* ---
id: log_gap
title: Hours without sign-ins
severity: medium
attack: [T1562.008]
streams: [sign_ins]
entity: stream
why: >-
  In these hours there were sign-ins on each of the 14 days before, and now there are none: logging was off, or the lake has a
  hole. log_silence tells of whole days.
look_back: 14
needs_history: 7
parameters:
  min_missing:
    type: integer
    default: 20
    minimum: 1
    description: How many sign-ins the quietest of the days before had in these hours. In a small tenant, fewer.
false_positives:
  - A disturbance at Microsoft, or of your internet line. The records may come later; the finding stays.
what_to_do:
  - Compare with what the Entra portal shows for these hours.
  - Look at who was active before and after, and at changes of what is logged.
--- */
WITH hours AS (
  SELECT
    dt,
    hour(event_time) AS clock,
    count(*) AS records,
    min(event_time) AS first_time,
    max(event_time) AS last_time,
    min_by(id, event_time) AS first_id,
    max_by(id, event_time) AS last_id
  FROM sign_ins
  WHERE dt BETWEEN {{ first_day }} AND {{ day }}
  GROUP BY dt, hour(event_time)
),
known AS (
  SELECT count(DISTINCT dt) AS days FROM hours WHERE dt < {{ day }}
),
-- The fewest that any day had in the hour; hours without any on some day say nothing.
usual AS (
  SELECT h.clock, min(h.records) AS least
  FROM hours AS h
  CROSS JOIN known AS k
  WHERE h.dt < {{ day }}
  GROUP BY h.clock, k.days
  HAVING count(*) = k.days
),
silent AS (
  SELECT u.clock, u.least, u.clock - row_number() OVER (ORDER BY u.clock) AS run
  FROM usual AS u
  LEFT JOIN hours AS h ON h.dt = {{ day }} AND h.clock = u.clock
  WHERE h.clock IS NULL
),
gaps AS (
  SELECT min(clock) AS first_hour, max(clock) AS last_hour, sum(least) AS missing
  FROM silent
  GROUP BY run
  HAVING sum(least) >= {{ min_missing }}
),
edges AS (
  SELECT
    g.first_hour,
    g.last_hour,
    g.missing,
    max(CASE WHEN h.clock < g.first_hour THEN h.last_time END) AS before_time,
    max_by(h.last_id, CASE WHEN h.clock < g.first_hour THEN h.last_time END) AS before_id,
    min(CASE WHEN h.clock > g.last_hour THEN h.first_time END) AS after_time,
    min_by(h.first_id, CASE WHEN h.clock > g.last_hour THEN h.first_time END) AS after_id
  FROM gaps AS g
  JOIN hours AS h ON h.dt = {{ day }}
  GROUP BY g.first_hour, g.last_hour, g.missing
)
SELECT
  'sign_ins' AS entity,
  min(coalesce(before_time, after_time)) AS first_event_time,
  max(coalesce(after_time, before_time)) AS last_event_time,
  CAST(0 AS bigint) AS event_count,
  CAST(NULL AS varchar) AS user_id,
  CAST(NULL AS varchar) AS user_principal_name,
  CAST(NULL AS varchar) AS ip_address,
  'No sign-ins on ' || {{ day }} || ' from ' || array_join(array_agg(
    CAST(first_hour AS varchar) || ':00 to ' || CAST(last_hour AS varchar) || ':59' ORDER BY first_hour
  ), ' and from ') || ' UTC; the quietest of the days before had ' || CAST(sum(missing) AS varchar) AS summary,
  json_format(CAST(array_sort(filter(
    array_agg(DISTINCT 'sign_ins:' || before_id) || array_agg(DISTINCT 'sign_ins:' || after_id), item -> item IS NOT NULL
  )) AS json)) AS evidence_json
FROM edges
HAVING count(*) > 0
