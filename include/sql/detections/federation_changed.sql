/* ---
id: federation_changed
title: Federation of a domain changed
severity: high
attack: [T1484.002]
streams: [directory_audits]
entity: domain
why: >-
  Whoever controls the server that a domain trusts signs in as anybody, without password and without MFA.
false_positives:
  - A planned move to or from AD FS or another identity provider, or a renewed signing certificate.
what_to_do:
  - Ask whoever changed it, by another way than mail. Attempts that failed are findings too.
  - If nobody knows of it, set the domain back to managed, revoke all sessions, and look at all sign-ins since.
--- */
WITH modes AS (
  SELECT
    id,
    count_if(lower(coalesce(new_value, '')) LIKE '%federated%' OR lower(coalesce(old_value, '')) LIKE '%federated%') > 0
      AS is_federated
  FROM audit_changes
  WHERE dt = {{ day }}
    AND lower(activity_display_name) = 'set domain authentication'
    AND property_name = 'LiveType'
  GROUP BY id
)
SELECT
  lower(coalesce(t.target_display_name, t.target_id, 'unknown')) AS entity,
  min(t.event_time) AS first_event_time,
  max(t.event_time) AS last_event_time,
  count(*) AS event_count,
  CASE WHEN min(t.actor_id) = max(t.actor_id) AND max(t.actor_type) = 'user' THEN max(t.actor_id) END AS user_id,
  CASE WHEN min(t.actor_name) = max(t.actor_name) AND max(t.actor_type) = 'user' THEN max(t.actor_name) END
    AS user_principal_name,
  CASE WHEN min(t.actor_ip_address) = max(t.actor_ip_address) THEN max(t.actor_ip_address) END AS ip_address,
  coalesce(array_join(array_agg(DISTINCT t.actor_name ORDER BY t.actor_name) FILTER (WHERE t.actor_name IS NOT NULL), ', '),
    'Somebody') || CASE WHEN bool_or(t.result = 'success') THEN ' changed' ELSE ' tried to change' END
    || ' how the domain ' || lower(coalesce(max(t.target_display_name), max(t.target_id), 'without a name'))
    || ' is trusted (' || array_join(array_agg(DISTINCT t.activity_display_name ORDER BY t.activity_display_name), ', ')
    || ')' AS summary,
  json_format(CAST(
    slice(array_agg('directory_audits:' || t.id ORDER BY t.event_time, t.id), 1, 20) AS json
  )) AS evidence_json
FROM audit_targets AS t
LEFT JOIN modes AS m ON m.id = t.id
WHERE t.dt = {{ day }}
  AND t.target_number = 1
  AND (
    lower(t.activity_display_name) = 'set federation settings on domain'
    -- A domain that was and stays managed is no news.
    OR (lower(t.activity_display_name) = 'set domain authentication' AND coalesce(m.is_federated, TRUE))
  )
GROUP BY lower(coalesce(t.target_display_name, t.target_id, 'unknown'))
