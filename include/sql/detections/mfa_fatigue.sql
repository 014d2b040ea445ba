/* ---
id: mfa_fatigue
title: MFA prompts until one was accepted
severity: high
attack: [T1621]
streams: [sign_ins]
entity: user
why: >-
  Somebody who knows the password asked for MFA again and again until the user gave in. The account is theirs now.
look_back: 7
parameters:
  min_prompts:
    type: integer
    default: 5
    minimum: 2
    description: How many MFA requests must fail before the sign-in that succeeds.
  window_minutes:
    type: integer
    default: 60
    minimum: 1
    maximum: 1440
    description: How long before that sign-in they may lie.
false_positives:
  - A user with a new phone or without reception, at a place where they have not been in the last days.
what_to_do:
  - Call the user. Did they accept a prompt that they had not asked for?
  - If so, reset the password, revoke all sessions, remove unknown MFA methods, and look at what the account did since.
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
    coalesce(error_code = 500121, FALSE) AS is_denied
  FROM sign_in_outcomes
  WHERE dt BETWEEN {{ first_day }} AND {{ day }}
    AND coalesce(user_id, user_principal_name) IS NOT NULL
    AND (outcome = 'success' OR error_code = 500121)
),
counted AS (
  SELECT
    account,
    event_time,
    dt,
    ip_address,
    is_success,
    sum(CASE WHEN is_denied THEN 1 ELSE 0 END) OVER (
      PARTITION BY account ORDER BY event_time
      RANGE BETWEEN INTERVAL '{{ window_minutes }}' MINUTE PRECEDING AND CURRENT ROW
    ) AS prompts
  FROM attempts
),
-- Who has trouble with MFA where they signed in on the days before is no victim.
known AS (
  SELECT DISTINCT account, ip_address
  FROM attempts
  WHERE is_success AND dt < {{ day }} AND ip_address IS NOT NULL
),
accepted AS (
  SELECT c.account, min(c.event_time) AS event_time
  FROM counted AS c
  LEFT JOIN known AS k ON k.account = c.account AND k.ip_address = c.ip_address
  WHERE c.dt = {{ day }} AND c.is_success AND c.prompts >= {{ min_prompts }} AND k.account IS NULL
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
  coalesce(max(a.user_principal_name), max(a.user_id)) || ' was asked for MFA again and again (failed requests: '
    || CAST(count_if(a.is_denied) AS varchar) || '), then a sign-in succeeded'
    || coalesce(' from ' || max(CASE WHEN a.is_success THEN a.ip_address END), '') AS summary,
  json_format(CAST(slice(
    array_agg('sign_ins:' || a.id ORDER BY CASE WHEN a.is_success THEN 0 ELSE 1 END, a.event_time, a.id), 1, 20
  ) AS json)) AS evidence_json
FROM attempts AS a
JOIN accepted AS s ON s.account = a.account
WHERE (a.is_denied AND a.event_time BETWEEN s.event_time - INTERVAL '{{ window_minutes }}' MINUTE AND s.event_time)
  OR (a.is_success AND a.event_time = s.event_time)
GROUP BY a.account
