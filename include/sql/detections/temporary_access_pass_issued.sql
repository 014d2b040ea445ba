/* ---
id: temporary_access_pass_issued
title: Temporary Access Pass issued
severity: medium
attack: [T1556.006]
streams: [directory_audits]
entity: user
why: >-
  It signs in as the user without password and MFA, and registers new methods. It is the quiet way to take over an account.
parameters:
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that issue passes as their daily work, such as the help desk.
false_positives:
  - A new colleague, or somebody who lost a phone.
what_to_do:
  - Ask the user whether they had asked for it. If not, delete the pass, revoke all sessions, remove new methods.
--- */
SELECT
  coalesce(t.target_id, lower(t.target_user_principal_name), t.target_display_name, 'unknown') AS entity,
  min(t.event_time) AS first_event_time,
  max(t.event_time) AS last_event_time,
  count(DISTINCT t.id) AS event_count,
  CASE WHEN min(t.actor_id) = max(t.actor_id) AND max(t.actor_type) = 'user' THEN max(t.actor_id) END AS user_id,
  CASE WHEN min(t.actor_name) = max(t.actor_name) AND max(t.actor_type) = 'user' THEN max(t.actor_name) END
    AS user_principal_name,
  CASE WHEN min(t.actor_ip_address) = max(t.actor_ip_address) THEN max(t.actor_ip_address) END AS ip_address,
  coalesce(array_join(array_agg(DISTINCT t.actor_name ORDER BY t.actor_name) FILTER (WHERE t.actor_name IS NOT NULL), ', '),
    'Somebody') || ' issued a Temporary Access Pass for ' || coalesce(max(t.target_user_principal_name), max(t.target_display_name), max(t.target_id), 'somebody') AS summary,
  json_format(CAST(
    slice(array_agg('directory_audits:' || t.id ORDER BY t.event_time, t.id), 1, 20) AS json
  )) AS evidence_json
FROM audit_targets AS t
WHERE t.dt = {{ day }}
  AND t.result = 'success'
  AND (
    (lower(t.activity_display_name) LIKE 'admin %security info' AND lower(t.result_reason) LIKE '%temporary access pass%'
      AND lower(t.result_reason) NOT LIKE '%delete%')
    OR lower(t.activity_display_name) LIKE 'create%temporary access pass%'
    OR lower(t.activity_display_name) LIKE 'add%temporary access pass%'
  )
  AND (t.target_type = 'User' OR t.target_number = 1)
  AND NOT contains({{ trusted_actors }}, lower(coalesce(t.actor_name, '')))
GROUP BY coalesce(t.target_id, lower(t.target_user_principal_name), t.target_display_name, 'unknown')
