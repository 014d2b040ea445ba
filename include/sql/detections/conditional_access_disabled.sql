/* ---
id: conditional_access_disabled
title: Conditional Access policy deleted or disabled
severity: high
attack: [T1556.009]
streams: [directory_audits]
entity: policy
why: >-
  Policies are what asks for MFA and blocks legacy authentication. Taking one away opens the door that it closed.
parameters:
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that change policies as their daily work, such as a deployment pipeline.
false_positives:
  - An administrator who replaces a policy by another, or goes from security defaults to Conditional Access.
what_to_do:
  - Ask whoever changed it what for, by another way than mail.
  - If nobody knows of it, restore the policy, and look at the sign-ins that it would have stopped since.
--- */
WITH changes AS (
  SELECT
    t.id,
    t.event_time,
    t.actor_type,
    t.actor_id,
    t.actor_name,
    t.actor_ip_address,
    t.target_id,
    t.target_display_name,
    CASE
      WHEN lower(t.activity_display_name) = 'delete conditional access policy' THEN 'deleted the policy'
      WHEN lower(t.activity_display_name) = 'update security defaults' THEN 'switched off the security defaults'
      WHEN c.new_state = 'disabled' THEN 'disabled the policy'
      ELSE 'made the policy only report'
    END AS deed
  FROM audit_targets AS t
  LEFT JOIN (
    SELECT
      id,
      max(json_extract_scalar(old_value, '$.state')) AS old_state,
      max(json_extract_scalar(new_value, '$.state')) AS new_state,
      count_if(lower(new_value) LIKE '%false%') AS switched_off,
      count_if(lower(new_value) LIKE '%true%') AS switched_on
    FROM audit_changes
    WHERE dt = {{ day }}
      AND lower(activity_display_name) IN ('update conditional access policy', 'update security defaults')
    GROUP BY id
  ) AS c ON c.id = t.id
  WHERE t.dt = {{ day }}
    AND t.target_number = 1
    AND t.result = 'success'
    AND NOT contains({{ trusted_actors }}, lower(coalesce(t.actor_name, '')))
    AND (
      lower(t.activity_display_name) = 'delete conditional access policy'
      OR (
        lower(t.activity_display_name) = 'update conditional access policy'
        AND c.old_state = 'enabled' AND c.new_state <> 'enabled'
      )
      OR (
        lower(t.activity_display_name) = 'update security defaults'
        AND (coalesce(c.switched_off, 0) > 0 OR coalesce(c.switched_on, 0) = 0)
      )
    )
)
SELECT
  coalesce(target_id, target_display_name, 'security defaults') AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  CASE WHEN min(actor_id) = max(actor_id) AND max(actor_type) = 'user' THEN max(actor_id) END AS user_id,
  CASE WHEN min(actor_name) = max(actor_name) AND max(actor_type) = 'user' THEN max(actor_name) END
    AS user_principal_name,
  CASE WHEN min(actor_ip_address) = max(actor_ip_address) THEN max(actor_ip_address) END AS ip_address,
  coalesce(array_join(array_agg(DISTINCT actor_name ORDER BY actor_name) FILTER (WHERE actor_name IS NOT NULL), ', '), 'Somebody') || ' '
    || array_join(array_agg(DISTINCT deed ORDER BY deed), ', ')
    || coalesce(' ' || max(target_display_name), '') AS summary,
  json_format(CAST(slice(array_agg('directory_audits:' || id ORDER BY event_time, id), 1, 20) AS json)) AS evidence_json
FROM changes
GROUP BY coalesce(target_id, target_display_name, 'security defaults')
