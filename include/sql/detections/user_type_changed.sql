/* ---
id: user_type_changed
title: Guest became a member
severity: medium
attack: [T1098]
streams: [directory_audits]
entity: user
why: >-
  A member sees the whole directory and falls under other policies than a guest. The account stays in somebody else's hands.
parameters:
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that change the type of users as their daily work.
false_positives:
  - A partner who was hired, or a merger of tenants.
what_to_do:
  - Ask whoever changed it. If nobody knows of it, make the user a guest again or delete them.
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
    'Somebody') || ' made the guest ' || coalesce(max(t.target_user_principal_name), max(t.target_display_name), max(t.target_id), 'somebody') || ' a member' AS summary,
  json_format(CAST(
    slice(array_agg('directory_audits:' || t.id ORDER BY t.event_time, t.id), 1, 20) AS json
  )) AS evidence_json
FROM audit_targets AS t
JOIN (
  SELECT DISTINCT id, target_number
  FROM audit_changes
  WHERE dt = {{ day }}
    AND lower(activity_display_name) = 'update user'
    AND property_name = 'UserType'
    AND lower(old_value) = 'guest'
    AND lower(new_value) = 'member'
) AS c ON c.id = t.id AND c.target_number = t.target_number
WHERE t.dt = {{ day }}
  AND t.result = 'success'
  AND NOT contains({{ trusted_actors }}, lower(coalesce(t.actor_name, '')))
GROUP BY coalesce(t.target_id, lower(t.target_user_principal_name), t.target_display_name, 'unknown')
