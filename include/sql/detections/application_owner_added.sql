/* ---
id: application_owner_added
title: Owner added to an application
severity: medium
attack: [T1098]
streams: [directory_audits]
entity: application
why: >-
  An owner adds a secret to the application and signs in as it. An application that may do much makes its owner powerful.
parameters:
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that add owners as their daily work, such as a deployment pipeline.
false_positives:
  - A team that takes over an application. Whoever creates one becomes its owner; that is no finding.
what_to_do:
  - Ask whoever added the owner, and look at what the application may do.
  - If nobody knows of it, remove the owner, and look at application_credential_added.
--- */
WITH names AS (
  SELECT
    id,
    max(CASE WHEN property_name IN ('Application.ObjectID', 'ServicePrincipal.ObjectID') THEN new_value END)
      AS application_id,
    max(CASE WHEN property_name IN (
      'Application.DisplayName', 'ServicePrincipal.DisplayName', 'ServicePrincipal.Name'
    ) THEN new_value END) AS application_name
  FROM audit_changes
  WHERE dt = {{ day }} AND lower(activity_display_name) IN ('add owner to application', 'add owner to service principal')
  GROUP BY id
),
added AS (
  SELECT
    t.id,
    min(t.event_time) AS event_time,
    max(t.correlation_id) AS correlation_id,
    max(t.actor_type) AS actor_type,
    max(t.actor_id) AS actor_id,
    max(t.actor_name) AS actor_name,
    max(t.actor_ip_address) AS actor_ip_address,
    coalesce(max(n.application_id), max(CASE WHEN t.target_type IN ('Application', 'ServicePrincipal') THEN t.target_id END))
      AS application_id,
    coalesce(
      max(n.application_name),
      max(CASE WHEN t.target_type IN ('Application', 'ServicePrincipal') THEN t.target_display_name END)
    ) AS application_name,
    max(CASE WHEN t.target_type = 'User' THEN coalesce(t.target_user_principal_name, t.target_id) END) AS owner_name
  FROM audit_targets AS t
  LEFT JOIN names AS n ON n.id = t.id
  WHERE t.dt = {{ day }}
    AND t.result = 'success'
    AND lower(t.activity_display_name) IN ('add owner to application', 'add owner to service principal')
    AND NOT contains({{ trusted_actors }}, lower(coalesce(t.actor_name, '')))
  GROUP BY t.id
),
created AS (
  SELECT DISTINCT correlation_id
  FROM audit_targets
  WHERE dt = {{ day }}
    AND correlation_id IS NOT NULL
    AND lower(activity_display_name) IN ('add application', 'add service principal')
)
SELECT
  coalesce(a.application_id, a.application_name, 'unknown') AS entity,
  min(a.event_time) AS first_event_time,
  max(a.event_time) AS last_event_time,
  count(*) AS event_count,
  CASE WHEN min(a.actor_id) = max(a.actor_id) AND max(a.actor_type) = 'user' THEN max(a.actor_id) END AS user_id,
  CASE WHEN min(a.actor_name) = max(a.actor_name) AND max(a.actor_type) = 'user' THEN max(a.actor_name) END
    AS user_principal_name,
  CASE WHEN min(a.actor_ip_address) = max(a.actor_ip_address) THEN max(a.actor_ip_address) END AS ip_address,
  coalesce(array_join(array_agg(DISTINCT a.actor_name ORDER BY a.actor_name) FILTER (WHERE a.actor_name IS NOT NULL), ', '),
    'Somebody') || ' made '
    || coalesce(array_join(array_agg(DISTINCT a.owner_name ORDER BY a.owner_name) FILTER (WHERE a.owner_name IS NOT NULL),
      ', '), 'somebody') || ' owner of the application '
    || coalesce(max(a.application_name), max(a.application_id), 'without a name') AS summary,
  json_format(CAST(
    slice(array_agg('directory_audits:' || a.id ORDER BY a.event_time, a.id), 1, 20) AS json
  )) AS evidence_json
FROM added AS a
LEFT JOIN created AS c ON c.correlation_id = a.correlation_id
WHERE c.correlation_id IS NULL
GROUP BY coalesce(a.application_id, a.application_name, 'unknown')
