/* ---
id: conditional_access_changed
title: Conditional Access changed
severity: medium
attack: [T1556.009]
streams: [directory_audits]
entity: policy
why: >-
  One exclusion in a policy, or one more network in a trusted location, is a door that nobody notices.
parameters:
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that change policies as their daily work, such as a deployment pipeline.
false_positives:
  - An administrator at work. New policies, new names and policies that are off are no findings.
what_to_do:
  - Compare the old with the new conditions in the record. Who is excluded now, which networks are trusted?
  - If nobody knows of it, restore the policy, and look at the sign-ins that it would have stopped since.
--- */
WITH policies AS (
  SELECT
    id,
    max(json_extract_scalar(old_value, '$.state')) AS old_state,
    max(json_extract_scalar(new_value, '$.state')) AS new_state,
    count_if(
      coalesce(json_format(json_extract(old_value, '$.conditions')), '')
        <> coalesce(json_format(json_extract(new_value, '$.conditions')), '')
      OR coalesce(json_format(json_extract(old_value, '$.grantControls')), '')
        <> coalesce(json_format(json_extract(new_value, '$.grantControls')), '')
      OR coalesce(json_format(json_extract(old_value, '$.sessionControls')), '')
        <> coalesce(json_format(json_extract(new_value, '$.sessionControls')), '')
    ) > 0 AS is_other
  FROM audit_changes
  WHERE dt = {{ day }} AND lower(activity_display_name) = 'update conditional access policy'
  GROUP BY id
)
SELECT
  coalesce(t.target_id, t.target_display_name, 'unknown') AS entity,
  min(t.event_time) AS first_event_time,
  max(t.event_time) AS last_event_time,
  count(*) AS event_count,
  CASE WHEN min(t.actor_id) = max(t.actor_id) AND max(t.actor_type) = 'user' THEN max(t.actor_id) END AS user_id,
  CASE WHEN min(t.actor_name) = max(t.actor_name) AND max(t.actor_type) = 'user' THEN max(t.actor_name) END
    AS user_principal_name,
  CASE WHEN min(t.actor_ip_address) = max(t.actor_ip_address) THEN max(t.actor_ip_address) END AS ip_address,
  coalesce(array_join(array_agg(DISTINCT t.actor_name ORDER BY t.actor_name) FILTER (WHERE t.actor_name IS NOT NULL), ', '),
    'Somebody') || ' changed ' || coalesce(max(t.target_display_name), max(t.target_id), 'something without a name') || ' ('
    || array_join(array_agg(DISTINCT t.activity_display_name ORDER BY t.activity_display_name), ', ') || ')' AS summary,
  json_format(CAST(
    slice(array_agg('directory_audits:' || t.id ORDER BY t.event_time, t.id), 1, 20) AS json
  )) AS evidence_json
FROM audit_targets AS t
LEFT JOIN policies AS p ON p.id = t.id
WHERE t.dt = {{ day }}
  AND t.target_number = 1
  AND t.result = 'success'
  AND NOT contains({{ trusted_actors }}, lower(coalesce(t.actor_name, '')))
  AND (
    lower(t.activity_display_name) IN ('add named location', 'update named location', 'delete named location')
    -- conditional_access_disabled tells of policies that are no longer enabled.
    OR (
      lower(t.activity_display_name) = 'update conditional access policy'
      AND coalesce(p.new_state, 'enabled') = 'enabled'
      AND coalesce(p.old_state, 'enabled') = 'enabled'
      AND (p.new_state IS NULL OR p.is_other)
    )
  )
GROUP BY coalesce(t.target_id, t.target_display_name, 'unknown')
