/* ---
id: role_assigned_outside_pim
title: Role assigned outside PIM
severity: medium
attack: [T1098.003]
streams: [directory_audits]
entity: role
why: >-
  Where roles are activated in Privileged Identity Management, an assignment beside it skips approval, MFA and the time limit.
parameters:
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that may assign roles directly.
false_positives:
  - An emergency, or an administrator who does not know PIM yet. Only tenants that use PIM have such records.
what_to_do:
  - Ask whoever assigned it what for, and let them assign it in PIM.
  - If nobody knows of it, take the role away, and follow what its giver did.
--- */
SELECT
  coalesce(r.role_id, r.role_name, 'unknown') AS entity,
  min(t.event_time) AS first_event_time,
  max(t.event_time) AS last_event_time,
  count(DISTINCT t.id) AS event_count,
  CASE WHEN min(t.actor_id) = max(t.actor_id) AND max(t.actor_type) = 'user' THEN max(t.actor_id) END AS user_id,
  CASE WHEN min(t.actor_name) = max(t.actor_name) AND max(t.actor_type) = 'user' THEN max(t.actor_name) END
    AS user_principal_name,
  CASE WHEN min(t.actor_ip_address) = max(t.actor_ip_address) THEN max(t.actor_ip_address) END AS ip_address,
  coalesce(array_join(array_agg(DISTINCT t.actor_name ORDER BY t.actor_name) FILTER (WHERE t.actor_name IS NOT NULL), ', '),
    'Somebody') || ' gave the role ' || coalesce(max(r.role_name), 'without a name') || ' to '
    || coalesce(array_join(array_agg(DISTINCT coalesce(t.target_user_principal_name, t.target_display_name, t.target_id)
      ORDER BY coalesce(t.target_user_principal_name, t.target_display_name, t.target_id)), ', '), 'somebody')
    || ' outside PIM' AS summary,
  json_format(CAST(
    slice(array_agg('directory_audits:' || t.id ORDER BY t.event_time, t.id), 1, 20) AS json
  )) AS evidence_json
FROM audit_targets AS t
JOIN (
  SELECT
    id,
    max(CASE WHEN target_type = 'Role' THEN target_id END) AS role_id,
    max(CASE WHEN target_type = 'Role' THEN target_display_name END) AS role_name,
    count_if(target_type IN ('User', 'ServicePrincipal', 'Group')) AS members
  FROM audit_targets
  WHERE dt = {{ day }} AND lower(activity_display_name) LIKE 'add member to role outside of pim%'
  GROUP BY id
) AS r ON r.id = t.id
WHERE t.dt = {{ day }}
  AND t.result = 'success'
  AND lower(t.activity_display_name) LIKE 'add member to role outside of pim%'
  AND (r.members = 0 OR t.target_type IN ('User', 'ServicePrincipal', 'Group'))
  AND NOT contains({{ trusted_actors }}, lower(coalesce(t.actor_name, '')))
GROUP BY coalesce(r.role_id, r.role_name, 'unknown')
