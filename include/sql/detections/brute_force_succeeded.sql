/* ---
id: brute_force_succeeded
title: Password guessed after many attempts
severity: high
attack: [T1110.001, T1078.004]
streams: [sign_ins]
entity: user
why: >-
  After many wrong passwords for one account came the right one. Somebody who forgot a password gives up, or resets it, long
  before.
look_back: 7
parameters:
  min_failures:
    type: integer
    default: 10
    minimum: 2
    description: How many attempts must fail before the sign-in that succeeds.
  window_minutes:
    type: integer
    default: 60
    minimum: 1
    maximum: 1440
    description: How long before that sign-in they may lie.
false_positives:
  - A device that kept an old password, or a user who tries for long. A user who signs in as usual while others guess is none.
what_to_do:
  - Call the user. Was it them?
  - If not, reset the password, revoke all sessions, and look at what the account did since.
--- */
WITH attempts AS (
  SELECT
    id,
    event_time,
    dt,
    coalesce(user_id, lower(user_principal_name)) AS account,
    user_id,
    user_principal_name,
    ip_address,
    outcome = 'success' AS is_success,
    coalesce(error_code IN (50126, 50053, 50056), FALSE) AS is_wrong
  FROM sign_in_outcomes
  WHERE dt BETWEEN {{ first_day }} AND {{ day }}
    AND coalesce(user_id, user_principal_name) IS NOT NULL
    AND (outcome = 'success' OR error_code IN (50126, 50053, 50056))
),
counted AS (
  SELECT
    account,
    event_time,
    dt,
    ip_address,
    is_success,
    sum(CASE WHEN is_wrong THEN 1 ELSE 0 END) OVER (
      PARTITION BY account ORDER BY event_time
      RANGE BETWEEN INTERVAL '{{ window_minutes }}' MINUTE PRECEDING AND CURRENT ROW
    ) AS failures
  FROM attempts
),
-- The user's own places: a success on a day before, and no wrong password on this one.
known AS (
  SELECT account, ip_address
  FROM attempts
  WHERE ip_address IS NOT NULL
  GROUP BY account, ip_address
  HAVING count_if(is_success AND dt < {{ day }}) > 0 AND count_if(is_wrong AND dt = {{ day }}) = 0
),
guessed AS (
  SELECT c.account, min(c.event_time) AS event_time
  FROM counted AS c
  LEFT JOIN known AS k ON k.account = c.account AND k.ip_address = c.ip_address
  WHERE c.dt = {{ day }} AND c.is_success AND c.failures >= {{ min_failures }} AND k.account IS NULL
  GROUP BY c.account
)
SELECT
  a.account AS entity,
  min(a.event_time) AS first_event_time,
  max(a.event_time) AS last_event_time,
  count(*) AS event_count,
  max(a.user_id) AS user_id,
  max(a.user_principal_name) AS user_principal_name,
  max(CASE WHEN a.is_success THEN a.ip_address END) AS ip_address,
  'After ' || CAST(count_if(a.is_wrong) AS varchar) || ' wrong passwords, '
    || coalesce(max(a.user_principal_name), max(a.user_id)) || ' was signed in to'
    || coalesce(' from ' || max(CASE WHEN a.is_success THEN a.ip_address END), '') AS summary,
  json_format(CAST(slice(
    array_agg('sign_ins:' || a.id ORDER BY CASE WHEN a.is_success THEN 0 ELSE 1 END, a.event_time, a.id), 1, 20
  ) AS json)) AS evidence_json
FROM attempts AS a
JOIN guessed AS g ON g.account = a.account
WHERE (a.is_wrong AND a.event_time BETWEEN g.event_time - INTERVAL '{{ window_minutes }}' MINUTE AND g.event_time)
  OR (a.is_success AND a.event_time = g.event_time)
GROUP BY a.account
