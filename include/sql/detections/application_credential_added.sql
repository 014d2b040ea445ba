/* ---
id: application_credential_added
title: Credential added to an application
severity: medium
attack: [T1098.001]
streams: [directory_audits]
entity: application
why: >-
  With a secret or certificate of its own an attacker signs in as the application, without a user, MFA or Conditional Access,
  and stays when all passwords are changed.
parameters:
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that renew credentials as their daily work, such as a deployment pipeline.
false_positives:
  - A secret that was renewed. Secrets that were only removed are no findings.
what_to_do:
  - Ask whoever added it what for, and look at what the application may do.
  - If nobody knows of it, remove the credential, and look at what the application did since.
--- */
WITH keys AS (
  SELECT
    id,
    target_number,
    cardinality(array_except(
      coalesce(TRY_CAST(json_extract(max(new_value_json), '$') AS array(varchar)), CAST(ARRAY[] AS array(varchar))),
      coalesce(TRY_CAST(json_extract(max(old_value_json), '$') AS array(varchar)), CAST(ARRAY[] AS array(varchar)))
    )) AS added
  FROM audit_changes
  WHERE dt = {{ day }} AND property_name = 'KeyDescription'
  GROUP BY id, target_number
)
SELECT
  coalesce(t.target_id, t.target_display_name, 'unknown') AS entity,
  min(t.event_time) AS first_event_time,
  max(t.event_time) AS last_event_time,
  count(DISTINCT t.id) AS event_count,
  CASE WHEN min(t.actor_id) = max(t.actor_id) AND max(t.actor_type) = 'user' THEN max(t.actor_id) END AS user_id,
  CASE WHEN min(t.actor_name) = max(t.actor_name) AND max(t.actor_type) = 'user' THEN max(t.actor_name) END
    AS user_principal_name,
  CASE WHEN min(t.actor_ip_address) = max(t.actor_ip_address) THEN max(t.actor_ip_address) END AS ip_address,
  coalesce(array_join(array_agg(DISTINCT t.actor_name ORDER BY t.actor_name) FILTER (WHERE t.actor_name IS NOT NULL), ', '),
    'Somebody') || ' added a credential to the application '
    || coalesce(max(t.target_display_name), max(t.target_id), 'without a name') AS summary,
  json_format(CAST(
    slice(array_agg('directory_audits:' || t.id ORDER BY t.event_time, t.id), 1, 20) AS json
  )) AS evidence_json
FROM audit_targets AS t
LEFT JOIN keys AS k ON k.id = t.id AND k.target_number = t.target_number
WHERE t.dt = {{ day }}
  AND t.result = 'success'
  AND NOT contains({{ trusted_actors }}, lower(coalesce(t.actor_name, '')))
  AND (
    (
      k.added > 0
      AND (
        lower(t.activity_display_name) LIKE 'update application%'
        OR lower(t.activity_display_name) LIKE '%service principal%'
      )
    )
    -- Without its old and new keys, the name of the activity says enough.
    OR (
      k.added IS NULL AND t.target_number = 1
      AND (
        lower(t.activity_display_name) LIKE 'update application%certificates and secrets management'
        OR lower(t.activity_display_name) = 'add service principal credentials'
      )
    )
  )
GROUP BY coalesce(t.target_id, t.target_display_name, 'unknown')
