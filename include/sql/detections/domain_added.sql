/* ---
id: domain_added
title: Domain added
severity: low
attack: [T1484.002]
streams: [directory_audits]
entity: domain
why: >-
  A domain of an attacker's own, once federated, lets them sign in as users of it. Domains are added every few years.
parameters:
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that may add domains.
false_positives:
  - A new domain of yours.
what_to_do:
  - Ask whoever added it. If it is not yours, remove it, and look at federation_changed.
--- */
SELECT
  lower(coalesce(t.target_display_name, t.target_id, 'unknown')) AS entity,
  min(t.event_time) AS first_event_time,
  max(t.event_time) AS last_event_time,
  count(DISTINCT t.id) AS event_count,
  CASE WHEN min(t.actor_id) = max(t.actor_id) AND max(t.actor_type) = 'user' THEN max(t.actor_id) END AS user_id,
  CASE WHEN min(t.actor_name) = max(t.actor_name) AND max(t.actor_type) = 'user' THEN max(t.actor_name) END
    AS user_principal_name,
  CASE WHEN min(t.actor_ip_address) = max(t.actor_ip_address) THEN max(t.actor_ip_address) END AS ip_address,
  coalesce(array_join(array_agg(DISTINCT t.actor_name ORDER BY t.actor_name) FILTER (WHERE t.actor_name IS NOT NULL), ', '),
    'Somebody') || ' added the domain ' || lower(coalesce(max(t.target_display_name), max(t.target_id), 'without a name')) AS summary,
  json_format(CAST(
    slice(array_agg('directory_audits:' || t.id ORDER BY t.event_time, t.id), 1, 20) AS json
  )) AS evidence_json
FROM audit_targets AS t
WHERE t.dt = {{ day }}
  AND t.target_number = 1
  AND t.result = 'success'
  AND lower(t.activity_display_name) IN ('add unverified domain', 'add verified domain', 'verify domain')
  AND NOT contains({{ trusted_actors }}, lower(coalesce(t.actor_name, '')))
GROUP BY lower(coalesce(t.target_display_name, t.target_id, 'unknown'))
