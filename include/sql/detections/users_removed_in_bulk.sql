/* ---
id: users_removed_in_bulk
title: Many users deleted or disabled
severity: high
attack: [T1531]
streams: [directory_audits]
entity: user
why: >-
  Locking everybody out is how an extortion begins, or how somebody leaves in anger.
parameters:
  min_removed:
    type: integer
    default: 5
    minimum: 2
    description: How many users one actor must delete or disable on one day.
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that do so as their daily work, such as the HR system or the synchronisation.
false_positives:
  - The end of a school year or of a project, or a clean-up.
what_to_do:
  - Call whoever did it. If it was not them, disable that account first.
  - Restore the users; deleted ones can be restored for 30 days.
--- */
SELECT
  coalesce(actor_id, lower(actor_name), 'unknown') AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(DISTINCT id) AS event_count,
  CASE WHEN max(actor_type) = 'user' THEN max(actor_id) END AS user_id,
  CASE WHEN max(actor_type) = 'user' THEN max(actor_name) END AS user_principal_name,
  CASE WHEN min(actor_ip_address) = max(actor_ip_address) THEN max(actor_ip_address) END AS ip_address,
  coalesce(max(actor_name), max(actor_id), 'Somebody') || ' deleted or disabled '
    || CAST(count(DISTINCT coalesce(target_id, lower(target_user_principal_name))) AS varchar) || ' users' AS summary,
  json_format(CAST(slice(array_sort(array_agg(DISTINCT 'directory_audits:' || id)), 1, 20) AS json)) AS evidence_json
FROM audit_targets
WHERE dt = {{ day }}
  AND result = 'success'
  AND lower(activity_display_name) IN ('delete user', 'disable account')
  AND (target_type = 'User' OR target_user_principal_name IS NOT NULL)
  AND NOT contains({{ trusted_actors }}, lower(coalesce(actor_name, '')))
GROUP BY coalesce(actor_id, lower(actor_name), 'unknown')
HAVING count(DISTINCT coalesce(target_id, lower(target_user_principal_name))) >= {{ min_removed }}
