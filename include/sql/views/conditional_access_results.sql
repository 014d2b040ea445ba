/* ---
description: "One row per sign-in and Conditional Access policy that was weighed: what it asked for and how it ended."
streams: [sign_ins]
columns:
  event_time: [timestamp(3), "When the sign-in happened, UTC."]
  id: [varchar, "Id of the sign-in."]
  policy_number: [bigint, "Place of the policy in the sign-in's list, from 1."]
  policy_id: [varchar, "Id of the policy; not a GUID for Security Defaults."]
  policy_display_name: [varchar, "Name of the policy at that moment."]
  policy_result: [varchar, "What the policy decided: `success`, `failure`, `notApplied`, `notEnabled`, `reportOnly…`."]
  is_report_only: [boolean, "Whether the policy only reported what it would have decided."]
  grant_controls: [varchar, "What the policy asked for, joined by commas: `Mfa`, `Block`, …; NULL where nothing."]
  session_controls: [varchar, "How the policy limited the session, joined by commas; NULL where it did not."]
  conditional_access_status: [varchar, "What all policies together decided."]
  error_code: [integer, "How the sign-in ended: 0 is success."]
  user_id: [varchar, "Object id of the user."]
  user_principal_name: [varchar, "Sign-in name as logged."]
  ip_address: [varchar, "Address that the sign-in came from."]
  country: [varchar, "Two-letter code, guessed from the address."]
  app_id: [varchar, "Client id of the application signed in to."]
  app_display_name: [varchar, "Name of the application signed in to."]
  client_app_used: [varchar, "Kind of client, as logged."]
  tenant_id: [varchar, "The tenant whose log this is."]
  dt: [varchar, "The partition: UTC date of the event, `YYYY-MM-DD`."]
--- */
SELECT
  s.event_time,
  s.id,
  p.policy_number,
  json_extract_scalar(p.policy, '$.id') AS policy_id,
  json_extract_scalar(p.policy, '$.displayName') AS policy_display_name,
  json_extract_scalar(p.policy, '$.result') AS policy_result,
  coalesce(starts_with(json_extract_scalar(p.policy, '$.result'), 'reportOnly'), FALSE) AS is_report_only,
  nullif(
    array_join(TRY_CAST(json_extract(p.policy, '$.enforcedGrantControls') AS array(varchar)), ','), ''
  ) AS grant_controls,
  nullif(
    array_join(TRY_CAST(json_extract(p.policy, '$.enforcedSessionControls') AS array(varchar)), ','), ''
  ) AS session_controls,
  s.conditional_access_status,
  s.status_error_code AS error_code,
  nullif(s.user_id, '') AS user_id,
  nullif(s.user_principal_name, '') AS user_principal_name,
  nullif(s.ip_address, '') AS ip_address,
  nullif(s.location_country_or_region, '') AS country,
  nullif(s.app_id, '') AS app_id,
  nullif(s.app_display_name, '') AS app_display_name,
  nullif(s.client_app_used, '') AS client_app_used,
  s.tenant_id,
  s.dt
FROM "{{ database }}".sign_ins AS s
CROSS JOIN UNNEST(
  TRY_CAST(json_extract(s.applied_conditional_access_policies_json, '$') AS array(json))
) WITH ORDINALITY AS p (policy, policy_number)
