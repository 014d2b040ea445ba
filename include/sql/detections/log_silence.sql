/* ---
id: log_silence
title: Sign-ins fell silent
severity: high
attack: [T1562.008]
streams: [sign_ins]
entity: stream
why: >-
  People sign in every day. A day almost without is a log that was switched off, a licence that ran out, or a hole in the lake.
look_back: 14
needs_history: 7
parameters:
  percent:
    type: integer
    default: 10
    minimum: 1
    maximum: 100
    description: A day with less than so many percent of the quietest of the 14 days before is silent.
  min_records:
    type: integer
    default: 20
    minimum: 1
    description: How many records the quietest of those days must have had; below, a day without any may be chance.
false_positives:
  - A holiday, or a disturbance at Microsoft. The day's records may come later; the finding stays.
what_to_do:
  - Compare with what the Entra portal shows for the day.
  - Look at whether a licence ran out, or somebody changed what is logged.
--- */
WITH days AS (
  SELECT dt, count(*) AS records, max(event_time) AS last_time, max_by(id, event_time) AS last_id
  FROM sign_ins
  WHERE dt BETWEEN {{ first_day }} AND {{ day }}
  GROUP BY dt
),
total AS (
  SELECT
    coalesce(max(CASE WHEN dt = {{ day }} THEN records END), 0) AS records,
    min(CASE WHEN dt < {{ day }} THEN records END) AS least,
    max(last_time) AS last_time,
    max_by(last_id, last_time) AS last_id
  FROM days
)
SELECT
  'sign_ins' AS entity,
  last_time AS first_event_time,
  last_time AS last_event_time,
  records AS event_count,
  CAST(NULL AS varchar) AS user_id,
  CAST(NULL AS varchar) AS user_principal_name,
  CAST(NULL AS varchar) AS ip_address,
  'sign_ins has ' || CAST(records AS varchar) || ' records on ' || {{ day }} || '; the quietest of the days before had '
    || CAST(least AS varchar) AS summary,
  json_format(CAST(ARRAY['sign_ins:' || last_id] AS json)) AS evidence_json
FROM total
WHERE least >= {{ min_records }}
  AND records * 100 < least * {{ percent }}
