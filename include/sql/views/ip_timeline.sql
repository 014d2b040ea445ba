/* ---
description: "What came from an IP address, over all streams: one row per event."
any_of: [sign_ins, directory_audits]
columns:
  event_time: [timestamp(3), "When it happened, UTC."]
  stream: [varchar, "Where the record is."]
  id: [varchar, "Id of the record in its stream."]
  correlation_id: [varchar, "Joins the records of one action or attempt."]
  ip_address: [varchar, "Address that it came from; Graph may mask the last part."]
  country: [varchar, "Two-letter code, guessed from the address; sign-ins only."]
  user_id: [varchar, "Object id of the user who acted."]
  user_principal_name: [varchar, "Sign-in name of the user who acted."]
  activity: [varchar, "`Sign-in`, or what was done."]
  outcome: [varchar, "`success`, `interrupted`, `failure`, `unknown`; of audits what Graph says."]
  application: [varchar, "Application signed in to, or service that wrote the audit."]
  detail: [varchar, "Why a sign-in did not succeed; what was changed."]
  tenant_id: [varchar, "The tenant whose log this is."]
  dt: [varchar, "The partition: UTC date of the event, `YYYY-MM-DD`."]
--- */
{% if "sign_ins" in streams %}
SELECT
  event_time,
  'sign_ins' AS stream,
  id,
  correlation_id,
  ip_address,
  country,
  user_id,
  user_principal_name,
  'Sign-in' AS activity,
  outcome,
  app_display_name AS application,
  coalesce(reason, failure_reason) AS detail,
  tenant_id,
  dt
FROM "{{ database }}".sign_in_outcomes
WHERE ip_address IS NOT NULL
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
  initiated_by_user_ip_address AS ip_address,
  CAST(NULL AS varchar) AS country,
  nullif(initiated_by_user_id, '') AS user_id,
  nullif(initiated_by_user_user_principal_name, '') AS user_principal_name,
  trim(activity_display_name) AS activity,
  result AS outcome,
  logged_by_service AS application,
  nullif(array_join(target_resource_display_names, ', '), '') AS detail,
  tenant_id,
  dt
FROM "{{ database }}".directory_audits
WHERE initiated_by_user_ip_address <> ''
{% endif %}
