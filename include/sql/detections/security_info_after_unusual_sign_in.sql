/* ---
id: security_info_after_unusual_sign_in
title: Security info registered after an unusual sign-in
severity: high
attack: [T1556.006, T1098.005]
streams: [sign_ins, directory_audits]
entity: user
why: >-
  Intruders register a phone of theirs within minutes, so that they pass MFA from then on, and a new password does not stop
  them.
look_back: 14
needs_history: 7
parameters:
  within_hours:
    type: integer
    default: 24
    minimum: 1
    maximum: 168
    description: How long after the unusual sign-in.
false_positives:
  - A new phone bought on a journey.
what_to_do:
  - Call the user at a number that you knew before. Was it them?
  - If not, remove the method, reset the password, revoke all sessions, and look at what the account did since.
--- */
WITH sign_ins_made AS (
  SELECT
    id,
    event_time,
    dt,
    user_id,
    user_principal_name,
    ip_address,
    country,
    coalesce(risk_state, '') NOT IN ('dismissed', 'confirmedSafe', 'remediated') AND (
      coalesce(risk_level_during_sign_in, '') IN ('medium', 'high')
      OR coalesce(risk_level_aggregated, '') IN ('medium', 'high')
      OR coalesce(risk_state, '') = 'confirmedCompromised'
    ) AS is_risky
  FROM sign_in_outcomes
  WHERE dt BETWEEN {{ first_day }} AND {{ day }} AND outcome = 'success' AND user_id IS NOT NULL
),
countries AS (
  SELECT user_id, country, min(event_time) AS first_time FROM sign_ins_made WHERE country IS NOT NULL GROUP BY user_id, country
),
beginnings AS (
  SELECT user_id, min(event_time) AS first_time FROM sign_ins_made GROUP BY user_id
),
unusual AS (
  SELECT s.id, s.event_time, s.user_id, s.user_principal_name, s.ip_address, s.is_risky
  FROM sign_ins_made AS s
  JOIN beginnings AS b ON b.user_id = s.user_id
  LEFT JOIN countries AS c ON c.user_id = s.user_id AND c.country = s.country
  WHERE s.is_risky
    -- The country is new to the user, who had been elsewhere before.
    OR (
      s.event_time < c.first_time + INTERVAL '{{ within_hours }}' HOUR
      AND b.first_time < c.first_time - INTERVAL '24' HOUR
    )
),
registered AS (
  SELECT
    id,
    min(event_time) AS event_time,
    coalesce(max(CASE WHEN target_type = 'User' THEN target_id END), max(CASE WHEN actor_type = 'user' THEN actor_id END))
      AS user_id
  FROM audit_targets
  WHERE dt = {{ day }}
    AND result = 'success'
    AND lower(activity_display_name) IN (
      'user registered security info', 'user registered all required security info', 'user updated security info',
      'user changed default security info', 'admin registered security info', 'admin updated security info'
    )
  GROUP BY id
),
pairs AS (
  SELECT
    r.id AS audit_id,
    r.event_time AS audit_time,
    u.id AS sign_in_id,
    u.event_time AS sign_in_time,
    u.user_id,
    u.user_principal_name,
    u.ip_address
  FROM registered AS r
  JOIN unusual AS u ON u.user_id = r.user_id
  WHERE u.event_time <= r.event_time AND u.event_time >= r.event_time - INTERVAL '{{ within_hours }}' HOUR
)
SELECT
  user_id AS entity,
  min(sign_in_time) AS first_event_time,
  max(audit_time) AS last_event_time,
  count(DISTINCT audit_id) + count(DISTINCT sign_in_id) AS event_count,
  user_id,
  max(user_principal_name) AS user_principal_name,
  CASE WHEN min(ip_address) = max(ip_address) THEN max(ip_address) END AS ip_address,
  'Security info of ' || coalesce(max(user_principal_name), user_id) || ' was registered '
    || CAST(date_diff('minute', max(sign_in_time), max(audit_time)) AS varchar) || ' minutes after an unusual sign-in'
    || CASE WHEN min(ip_address) = max(ip_address) THEN ' from ' || max(ip_address) ELSE '' END AS summary,
  json_format(CAST(slice(
    array_sort(array_agg(DISTINCT 'directory_audits:' || audit_id))
    || array_sort(array_agg(DISTINCT 'sign_ins:' || sign_in_id)), 1, 20
  ) AS json)) AS evidence_json
FROM pairs
GROUP BY user_id
