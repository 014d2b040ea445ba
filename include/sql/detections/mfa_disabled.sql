/* ---
id: mfa_disabled
title: MFA switched off for a user
severity: medium
attack: [T1556.006]
streams: [directory_audits]
entity: user
why: >-
  From now on the password is enough.
parameters:
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that change MFA as their daily work.
false_positives:
  - A tenant that goes from MFA per user to Conditional Access.
what_to_do:
  - Ask whoever did it. If nobody knows of it, switch it on again, reset the password, revoke all sessions.
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
    'Somebody') || ' switched off MFA for ' || coalesce(max(t.target_user_principal_name), max(t.target_display_name), max(t.target_id), 'somebody') AS summary,
  json_format(CAST(
    slice(array_agg('directory_audits:' || t.id ORDER BY t.event_time, t.id), 1, 20) AS json
  )) AS evidence_json
FROM audit_targets AS t
LEFT JOIN (
  SELECT DISTINCT id, target_number
  FROM audit_changes
  WHERE dt = {{ day }}
    AND lower(activity_display_name) = 'update user'
    AND property_name = 'StrongAuthenticationRequirement'
    AND old_value IS NOT NULL
    -- Its state: 0 is off, 1 on, 2 enforced.
    AND (new_value IS NULL OR regexp_like(new_value, '"State" *: *0'))
) AS c ON c.id = t.id AND c.target_number = t.target_number
WHERE t.dt = {{ day }}
  AND t.result = 'success'
  AND (lower(t.activity_display_name) = 'disable strong authentication' OR c.id IS NOT NULL)
  AND (t.target_type = 'User' OR t.target_number = 1)
  AND NOT contains({{ trusted_actors }}, lower(coalesce(t.actor_name, '')))
GROUP BY coalesce(t.target_id, lower(t.target_user_principal_name), t.target_display_name, 'unknown')
