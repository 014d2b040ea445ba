/* ---
id: security_info_changed
title: Security info changed
severity: low
attack: [T1556.006]
streams: [directory_audits]
entity: user
why: >-
  A second phone lets an intruder pass MFA from now on, and deleting the first one locks the user out.
false_positives:
  - A new phone, a new colleague, or the yearly review.
what_to_do:
  - Ask the user whether it was them. If not, remove the method, reset the password, revoke all sessions.
  - Where it followed an unusual sign-in, security_info_after_unusual_sign_in says so.
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
    'Somebody') || ' changed the security info of ' || coalesce(max(t.target_user_principal_name), max(t.target_display_name), max(t.target_id), 'somebody') || ' ('
    || array_join(array_agg(DISTINCT t.activity_display_name ORDER BY t.activity_display_name), ', ') || ')' AS summary,
  json_format(CAST(
    slice(array_agg('directory_audits:' || t.id ORDER BY t.event_time, t.id), 1, 20) AS json
  )) AS evidence_json
FROM audit_targets AS t
WHERE t.dt = {{ day }}
  AND t.result = 'success'
  AND lower(t.activity_display_name) IN (
    'user registered security info', 'user registered all required security info', 'user updated security info',
    'user changed default security info', 'user deleted security info', 'admin registered security info',
    'admin updated security info', 'admin deleted security info'
  )
  -- temporary_access_pass_issued tells of these.
  AND coalesce(lower(t.result_reason), '') NOT LIKE '%temporary access pass%'
  AND (t.target_type = 'User' OR t.target_number = 1)
GROUP BY coalesce(t.target_id, lower(t.target_user_principal_name), t.target_display_name, 'unknown')
