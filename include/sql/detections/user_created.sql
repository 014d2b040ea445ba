/* ---
id: user_created
title: User created
severity: low
attack: [T1136.003]
streams: [directory_audits]
entity: user
why: >-
  A new account is a way to stay after the first one was closed. In a small tenant accounts are rare and known beforehand.
parameters:
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that create accounts as their daily work, such as the HR system.
false_positives:
  - A new colleague or family member, or a provisioning system.
what_to_do:
  - Ask whoever created the account whether it was them, and what for.
  - If nobody knows of it, disable the account and follow what its creator did.
--- */
SELECT
  coalesce(target_id, target_user_principal_name, 'unknown') AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  max(CASE WHEN actor_type = 'user' THEN actor_id END) AS user_id,
  max(CASE WHEN actor_type = 'user' THEN actor_name END) AS user_principal_name,
  max(actor_ip_address) AS ip_address,
  coalesce(max(actor_name), 'Somebody') || ' created the user '
    || coalesce(max(target_user_principal_name), max(target_display_name), max(target_id), 'without a name') AS summary,
  json_format(CAST(slice(array_agg('directory_audits:' || id ORDER BY event_time), 1, 20) AS json)) AS evidence_json
FROM audit_targets
WHERE dt = {{ day }}
  AND activity_display_name = 'Add user'
  AND result = 'success'
  AND NOT contains({{ trusted_actors }}, lower(coalesce(actor_name, '')))
GROUP BY coalesce(target_id, target_user_principal_name, 'unknown')
