/* ---
description: >-
  What users did and what was done to them, over all streams: one row per event and user who acted or was changed.
any_of: [sign_ins, directory_audits]
columns:
  event_time: [timestamp(3), "When it happened, UTC."]
  stream: [varchar, "Where the record is."]
  id: [varchar, "Id of the record in its stream."]
  correlation_id: [varchar, "Joins the records of one action or attempt."]
  user_id: [varchar, "Object id of the user."]
  user_principal_name: [varchar, "Sign-in name of the user."]
  user_role: [varchar, "`actor` who did it, or `target` of it."]
  activity: [varchar, "`Sign-in`, or what was done."]
  outcome: [varchar, "`success`, `interrupted`, `failure`, `unknown`; of audits what Graph says."]
  application: [varchar, "Application signed in to, or service that wrote the audit."]
  ip_address: [varchar, "Address that the actor came from."]
  country: [varchar, "Two-letter code, guessed from the address; sign-ins only."]
  detail: [varchar, "Why a sign-in did not succeed; what an actor changed; who changed a target."]
  tenant_id: [varchar, "The tenant whose log this is."]
  dt: [varchar, "The partition: UTC date of the event, `YYYY-MM-DD`."]
--- */
{% if "sign_ins" in streams %}
SELECT
  event_time,
  'sign_ins' AS stream,
  id,
  correlation_id,
  user_id,
  user_principal_name,
  'actor' AS user_role,
  'Sign-in' AS activity,
  outcome,
  app_display_name AS application,
  ip_address,
  country,
  coalesce(reason, failure_reason) AS detail,
  tenant_id,
  dt
FROM "{{ database }}".sign_in_outcomes
WHERE coalesce(user_id, user_principal_name) IS NOT NULL
{% endif %}
{% if "sign_ins" in streams and "directory_audits" in streams %}
UNION ALL
{% endif %}
{% if "directory_audits" in streams %}
SELECT
  event_time,
  'directory_audits' AS stream,
  id,
  correlation_id,
  nullif(initiated_by_user_id, '') AS user_id,
  nullif(initiated_by_user_user_principal_name, '') AS user_principal_name,
  'actor' AS user_role,
  trim(activity_display_name) AS activity,
  result AS outcome,
  logged_by_service AS application,
  nullif(initiated_by_user_ip_address, '') AS ip_address,
  CAST(NULL AS varchar) AS country,
  nullif(array_join(target_resource_display_names, ', '), '') AS detail,
  tenant_id,
  dt
FROM "{{ database }}".directory_audits
WHERE coalesce(nullif(initiated_by_user_id, ''), nullif(initiated_by_user_user_principal_name, '')) IS NOT NULL
UNION ALL
SELECT
  event_time,
  'directory_audits' AS stream,
  id,
  correlation_id,
  target_id AS user_id,
  target_user_principal_name AS user_principal_name,
  'target' AS user_role,
  activity_display_name AS activity,
  result AS outcome,
  logged_by_service AS application,
  actor_ip_address AS ip_address,
  CAST(NULL AS varchar) AS country,
  actor_name AS detail,
  tenant_id,
  dt
FROM "{{ database }}".audit_targets
WHERE target_type = 'User' OR target_user_principal_name IS NOT NULL
{% endif %}
