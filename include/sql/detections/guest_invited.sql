/* ---
id: guest_invited
title: Guest invited
severity: low
attack: [T1136.003]
streams: [directory_audits]
entity: user
why: >-
  A guest is an account that somebody else controls. Attackers invite one of theirs, to stay.
parameters:
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that invite guests as their daily work.
false_positives:
  - Somebody who shares a file or a team with a partner.
what_to_do:
  - Ask whoever invited them. If they know nothing of it, delete the guest, and follow what the inviter did.
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
    'Somebody') || ' invited ' || coalesce(max(t.target_user_principal_name), max(t.target_display_name), max(t.target_id), 'somebody') AS summary,
  json_format(CAST(
    slice(array_agg('directory_audits:' || t.id ORDER BY t.event_time, t.id), 1, 20) AS json
  )) AS evidence_json
FROM audit_targets AS t
WHERE t.dt = {{ day }}
  AND t.result = 'success'
  AND lower(t.activity_display_name) = 'invite external user'
  AND (t.target_type = 'User' OR t.target_number = 1)
  AND NOT contains({{ trusted_actors }}, lower(coalesce(t.actor_name, '')))
GROUP BY coalesce(t.target_id, lower(t.target_user_principal_name), t.target_display_name, 'unknown')
